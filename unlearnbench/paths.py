"""Finds our packages before user files with the same names.

`analysis`, `benchmarks`, `cluster` and `search` are common names. Folders of PYTHONPATH that would hide
them come last in child processes. The command reorders the whole path of its process. `import unlearnbench`
runs in the user's process, so there only these four packages are looked up first.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, NamespaceLoader, PathFinder
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("analysis", "benchmarks", "cluster", "search")
LAST = "UNLEARN_PATH_LAST"  # folders of PYTHONPATH that come last; workers on this machine read it


def put_last() -> None:
    """Order `sys.path`, and PYTHONPATH for the processes that inherit it.

    The current folder is removed from it, unless PYTHONPATH names it.
    """
    here = Path.cwd().resolve()
    entries, named, last = _pythonpath()
    off = set(last)
    if "" in (*entries, *sys.path):  # the current folder, usually by accident
        off |= {here} - {ROOT}
    first = [entry for entry in sys.path if Path(entry).resolve() not in off]
    # An editable install looks for our packages after everything on the path, so after the user's files
    ours = [str(ROOT)] if ROOT not in [Path(entry).resolve() for entry in first] else []
    sys.path[:] = [*first, *ours, *map(str, last)]
    _pass_to_children([f for f in named if f not in off], last)


def put_first() -> None:
    """Find our packages first in this process, without changing its path, and in child processes.

    Raises:
        ImportError: if a user's module with one of the names is already imported.
    """
    if any(isinstance(finder, _Ours) for finder in sys.meta_path):
        return
    for name in PACKAGES:
        known = sys.modules.get(name)
        if known is not None and not Path(known.__file__ or "nowhere").resolve().is_relative_to(ROOT):
            raise ImportError(
                f"{known.__file__} is imported as '{name}', which is the name of a package of unlearnbench; "
                "rename that module, or use unlearnbench in a separate process"
            )
    sys.meta_path.insert(0, _Ours())
    _, named, last = _pythonpath()
    _pass_to_children([f for f in named if f not in last], last)


def hides(folder: Path) -> bool:
    """Whether a folder holds a module with the name of one of our packages."""
    return any(_file(PathFinder.find_spec(name, [str(folder)])) for name in PACKAGES)


def located(name: str) -> Path:
    """The file from which a package is, or would be, imported."""
    return Path(_file(importlib.util.find_spec(name)) or "nowhere").resolve()


class _Ours(MetaPathFinder):
    """Finds only our packages."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(ROOT)]) if fullname in PACKAGES else None


def _pythonpath() -> tuple[list[str], list[Path], list[Path]]:
    """The entries of PYTHONPATH, their folders, and those of them that come last."""
    here = Path.cwd().resolve()
    texts = (os.environ.get("PYTHONPATH"), os.environ.get(LAST))
    entries = [entry for text in texts if text for entry in text.split(os.pathsep)]
    named = [Path(entry).resolve() for entry in entries if entry]
    return entries, named, [f for f in dict.fromkeys(named) if f != ROOT and (f == here or hides(f))]


def _pass_to_children(first: Sequence[Path], last: Sequence[Path]) -> None:
    """Set the variables that child processes inherit."""
    for name, folders in (("PYTHONPATH", first), (LAST, last)):
        if folders:
            os.environ[name] = os.pathsep.join(map(str, folders))
        else:
            os.environ.pop(name, None)


def _file(spec: ModuleSpec | None) -> str:
    """The file of a module; empty if there is none, as for a namespace package."""
    return "" if spec is None or isinstance(spec.loader, NamespaceLoader) else spec.origin or ""
