"""The command `unlearn`, started so that no file of the user's can stand in for a package of ours."""

from __future__ import annotations

import sys

from unlearnbench.paths import PACKAGES, ROOT, located, put_last


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
