"""Scripts in a process of their own, for what is true only of a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def words_printed(script: str, *arguments: str) -> list[str]:
    """The words that a script prints, run in the folder of the packages.

    Raises:
        CalledProcessError: if it fails.
    """
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, cwd=ROOT)
    return done.stdout.split()
