"""`pip install` with one line of progress, updated in place on a terminal and repeated in a log.

pip itself prints several hundred lines for this project, and nothing to a log for minutes while it
downloads or unpacks PyTorch. The progress of downloads needs pip 24.1.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import PurePosixPath

EVERY_S = 5.0
LAST_LINES = 60  # of pip's output, printed if it fails


class Phase:
    """The current step of pip, from its output."""

    def __init__(self) -> None:
        self.text = "starting pip"
        self._downloading = ""

    def read(self, line: str) -> None:
        if match := re.match(r"Collecting (\S+?)(?:[<>=!~;\[(]|$| )", line):
            self.text = f"looking for {match[1]}"
        elif match := re.match(r"\s+Downloading (\S+) \(([^)]+)\)", line):
            name = "-".join(PurePosixPath(match[1]).name.split("-")[:2])
            self.text = self._downloading = f"downloading {name} ({match[2]})"
        elif (match := re.match(r"Progress (\d+) of (\d+)", line)) and int(match[2]):
            self.text = f"{self._downloading}, {100 * int(match[1]) // int(match[2])} %"
        elif line.startswith(("Building", "  Building", "  Preparing", "  Installing build", "  Getting")):
            self.text = line.strip().lower().removesuffix(": started")
        elif line.startswith("Installing collected packages:"):
            self.text = f"installing {line.count(',') + 1} packages"


def main(arguments: list[str]) -> int:
    began = time.monotonic()
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    pip = subprocess.Popen(
        [*command, "--progress-bar", "raw", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    phase, last = Phase(), deque[str](maxlen=LAST_LINES)

    def read() -> None:
        for line in pip.stdout or ():
            phase.read(line)
            if not line.startswith("Progress "):
                last.append(line)

    reader = threading.Thread(target=read)
    reader.start()
    terminal = sys.stdout.isatty()
    while reader.is_alive():
        line = f"{phase.text} ({time.monotonic() - began:.0f} s)"
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{line[:width]}" if terminal else line, end="" if terminal else "\n", flush=True)
        reader.join(1.0 if terminal else EVERY_S)
    if terminal:
        print("\r\x1b[K", end="")
    status = pip.wait()
    if status:
        print("".join(last), end="")
    else:
        print(f"installed {' '.join(arguments)} in {time.monotonic() - began:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
