"""Isolates a session from its surroundings: its token, and where its workers look for modules."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_LAST = "UNLEARN_PATH_LAST"  # set by `unlearn`: folders of PYTHONPATH that would hide our packages


def isolated_job() -> Any:
    """A `JobConfig` that does not put the driver's folders in front of the workers' path.

    Ray adds the current folder and the script's: every worker would run a `numpy.py` from there.
    """
    from ray.job_config import JobConfig

    class Isolated(JobConfig):
        def _serialize(self) -> Any:
            self._py_driver_sys_path.clear()
            return super()._serialize()

    return Isolated()


def importable(folders: Iterable[str]) -> None:
    """Let this process import modules from folders that are searched last."""
    inherited = os.environ.get(_LAST, "").split(os.pathsep)
    # _ROOT first: an editable install searches for our packages after everything on the path
    for folder in (str(_ROOT), *folders, *inherited):
        if folder and folder not in sys.path:
            sys.path.append(folder)


@contextmanager
def absolute_pythonpath() -> Iterator[None]:
    """PYTHONPATH without empty entries, which mean the current folder, for processes that start now."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    with _environment({"PYTHONPATH": os.pathsep.join(filter(None, entries)) or None}):
        yield


@contextmanager
def session_token() -> Iterator[None]:
    """A new token for the Ray session that is started now, only in the environment.

    Ray itself would write a token to `~/.ray`, readable by other users, and leave it there.
    """
    variables = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_AUTH_TOKEN_PATH": None,
    }
    try:
        with _environment(variables):
            _read_again()
            yield
    finally:
        _read_again()


def _read_again() -> None:
    """Ray caches the mode and the token that it read first."""
    from ray import _raylet

    compiled: Any = _raylet
    compiled.Config.initialize("")
    compiled.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """The environment with other values; None unsets a variable."""
    before = {name: os.environ.get(name) for name in values}

    def put(changes: Mapping[str, str | None]) -> None:
        for name, value in changes.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    put(values)
    try:
        yield
    finally:
        put(before)
