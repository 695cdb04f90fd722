"""Optuna's storages by address, with errors in one line that never contain a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import ResultsError

if TYPE_CHECKING:
    import optuna
    from sqlalchemy import URL

_VALID = "give an address such as sqlite:///study.db, mysql://HOST/NAME or postgresql://HOST/NAME"


@contextmanager
def opened(address: str, *, must_exist: bool) -> Iterator[optuna.storages.RDBStorage]:
    """A database of Optuna studies.

    Args:
        must_exist: Whether a missing or empty file is an error; otherwise the database is created.

    Raises:
        ResultsError: for an address without a database, and a database that cannot be opened, read or
            written, also in the body.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    url = _parsed(address)
    shown = url.render_as_string(hide_password=True)
    file = url.database if url.drivername.startswith("sqlite") else None
    if must_exist and file and not Path(file).is_file():
        raise ResultsError(f"there is no file '{file}', which {shown} names")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    try:
        storage = optuna.storages.RDBStorage(address, skip_table_creation=must_exist)
        yield storage
    except ImportError as error:
        raise ResultsError(f"{shown} needs a driver for Python: {error}") from error
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = next(filter(None, (getattr(e, "orig", None) for e in (error, error.__cause__))), error)
        raise ResultsError(f"cannot use the database {shown}: {' '.join(str(cause).split())}") from error
    except RuntimeError as error:  # the database is of another version of Optuna
        raise ResultsError(f"cannot use the database {shown}: {' '.join(str(error).split())}") from error
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def has_password(address: str) -> bool:
    """Whether an address contains a password, which must not be stored.

    Raises:
        ResultsError: for text that is not an address.
    """
    return _parsed(address).password is not None


def _parsed(address: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(address)
    except ArgumentError as error:
        raise ResultsError(f"'{address}' is not the address of a database; {_VALID}") from error
