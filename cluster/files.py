"""The cluster files that ship with the package: their names, and a copy of one to edit."""

from __future__ import annotations

import difflib
from pathlib import Path

from cluster.errors import ClusterError

_CONFIGS = Path(__file__).parent / "configs"


def shipped() -> dict[str, Path]:
    """The files, by name."""
    return {path.name: path for path in sorted(_CONFIGS.iterdir()) if path.is_file()}


def summary(path: Path) -> str:
    """The purpose of a file: its first comment line."""
    first = next(line for line in path.read_text().splitlines() if line.startswith("# "))
    return first.removeprefix("# ")


def write(name: str, folder: Path) -> Path:
    """Copy a file into a folder, which is created if needed; returns the copy's path.

    Raises:
        ClusterError: for an unknown name, or if the folder has a file of that name.
    """
    files = shipped()
    if name not in files:
        near = difflib.get_close_matches(name, files, n=1)
        end = f"did you mean '{near[0]}'?" if near else f"valid: {', '.join(files)}"
        raise ClusterError(f"unknown cluster file '{name}'; {end}")
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x") as copy:
            copy.write(files[name].read_text())
    except FileExistsError:
        raise ClusterError(
            f"{path} exists and is not overwritten; remove it, or name another folder with --to"
        ) from None
    except OSError as error:
        raise ClusterError(
            f"{path} cannot be written: {error.strerror}; name another folder with --to"
        ) from None
    return path
