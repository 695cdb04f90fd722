"""The command `unlearn`, started so that no file of the user's can stand in for a package of ours.

`analysis`, `benchmarks`, `cluster` and `search` are common names. Folders of PYTHONPATH that would hide
them come last on the path, here and in the processes that are started from here. The current folder is not
on it at all, unless PYTHONPATH names it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import NamespaceLoader, PathFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("analysis", "benchmarks", "cluster", "search")
LAST = "UNLEARN_PATH_LAST"  # folders of PYTHONPATH that were put last; workers on this machine read it


def main() -> None:
    """Entry point of the command."""
    put_last()
    for name in PACKAGES:
        file = located(name)
        if not file.is_relative_to(ROOT):
            print(
                f"error: {file} hides the package '{name}' of {ROOT}; rename or remove it, or take its "
                "folder off the path of Python's modules",
                file=sys.stderr,
            )
            sys.exit(2)
    try:
        from search.cli import main as command
    except KeyboardInterrupt:
        print("error: interrupted before anything was started", file=sys.stderr)
        sys.exit(130)
    command()


def put_last() -> None:
    """Order `sys.path`, and PYTHONPATH for the processes that inherit it."""
    here = Path.cwd().resolve()
    texts = (os.environ.get("PYTHONPATH"), os.environ.get(LAST))
    entries = [entry for text in texts if text for entry in text.split(os.pathsep)]
    named = [Path(entry).resolve() for entry in entries if entry]
    last = [f for f in dict.fromkeys(named) if f != ROOT and (f == here or hides(f))]
    off = set(last)
    if "" in (*entries, *sys.path):  # the current folder, put there by accident as a rule
        off |= {here} - {ROOT}
    first = [entry for entry in sys.path if Path(entry).resolve() not in off]
    # An editable install finds our packages after everything on the path, so after theirs
    ours = [str(ROOT)] if ROOT not in [Path(entry).resolve() for entry in first] else []
    sys.path[:] = [*first, *ours, *map(str, last)]
    for name, folders in (("PYTHONPATH", [f for f in named if f not in off]), (LAST, last)):
        if folders:
            os.environ[name] = os.pathsep.join(map(str, folders))
        else:
            os.environ.pop(name, None)


def hides(folder: Path) -> bool:
    """Whether a folder holds a module with the name of one of our packages."""
    return any(_file(PathFinder.find_spec(name, [str(folder)])) for name in PACKAGES)


def located(name: str) -> Path:
    """The file from which a package is, or would be, imported."""
    return Path(_file(importlib.util.find_spec(name)) or "nowhere").resolve()


def _file(spec: importlib.machinery.ModuleSpec | None) -> str:
    """The file of a module; empty where there is none, as for a folder that is not a package."""
    return "" if spec is None or isinstance(spec.loader, NamespaceLoader) else spec.origin or ""
