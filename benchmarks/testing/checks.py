"""Named checks that all run, and the checks that every kind of entry has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

from benchmarks.registry import Entry

Problems = Iterator[str]


class Check(NamedTuple):
    """A named rule.

    Attributes:
        name: Begins the lines of its problems.
        run: Yields a text per problem. An exception that it raises is also a problem.
    """

    name: str
    run: Callable[[], Iterable[str]]


class CheckFailed(Exception):
    """Ends a check; its text is a problem, too."""


def require_all(subject: str, checks: Iterable[Check]) -> None:
    """Run all checks, also after one that fails.

    Args:
        subject: The checked entry, for the first line of the message.

    Raises:
        AssertionError: with a line `name: problem` for every problem. Its cause is the first exception
            that a check raised.
    """
    lines: list[str] = []
    raised: list[Exception] = []
    for check in checks:
        try:
            for problem in check.run():
                lines.append(f"{check.name}: {problem}")
        except CheckFailed as failure:
            lines.append(f"{check.name}: {failure}")
        except Exception as error:
            lines.append(f"{check.name}: it raises {type(error).__name__}: {error}")
            raised.append(error)
    if lines:
        raise AssertionError("\n  ".join([f"{subject} breaks its contract:", *lines])) from next(
            iter(raised), None
        )


def description_checks(entry: Entry, name: str = "") -> list[Check]:
    """The checks of an entry's name, summary and source.

    Args:
        name: The part of its name that is registered, if that is not all of it.
    """
    return [
        Check("name", partial(_name_problems, name or entry.name)),
        *(Check(attribute, partial(_line_problems, entry, attribute)) for attribute in ("summary", "source")),
    ]


def _name_problems(name: str) -> Problems:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        yield f"'{name}' must be lower case: letters, digits and _, with a letter first"


def _line_problems(entry: Entry, attribute: str) -> Problems:
    text = getattr(entry, attribute, "")
    if not text or "\n" in text:
        yield f"'{attribute}' must be one line of text"


def import_check(function: Callable[..., Any]) -> Check:
    """The check that the module of a class or function can be imported without torch.

    Listing names stays fast that way. The function may be wrapped in `partial`.
    """
    module = (function.func if isinstance(function, partial) else function).__module__
    return Check("import", lambda: filter(None, [import_problem(module)]))


@cache
def import_problem(module: str) -> str:
    """The reason why a module is slow to import, tested in a new process; "" if it is fast."""
    if module == "__main__":
        return ""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules and 3)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if done.returncode == 3:
        return f"importing {module} imports torch; import it inside functions"
    return "" if done.returncode == 0 else f"{module} cannot be imported by itself: {done.stderr[-300:]}"
