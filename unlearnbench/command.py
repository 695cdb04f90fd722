"""The command `unlearn`, started so that a user's file cannot replace one of our packages."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from unlearnbench.paths import PACKAGES, ROOT, located, put_last


def main() -> None:
    """Entry point of the command."""
    put_last()
    for name in PACKAGES:
        file = located(name)
        if not file.is_relative_to(ROOT):
            print(
                f"error: {file} hides the package '{name}' of {ROOT}; rename or remove it, or remove its "
                "folder from PYTHONPATH",
                file=sys.stderr,
            )
            sys.exit(2)
    try:
        from search.cli import main as command
    except KeyboardInterrupt:
        print("error: interrupted before anything was started", file=sys.stderr)
        sys.exit(130)
    try:
        command()
    except SystemExit as end:
        if isinstance(end.code, int):
            _leave(end.code)
        raise


def _leave(status: int) -> None:
    """End the process as Python does, but without clearing imported modules, which takes half a second."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            return  # Python waits for it
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return  # Python reports this error itself
    os._exit(status)
