"""`pip install` with one line of progress, updated in place on a terminal and repeated in a log.

pip itself prints several hundred lines for this project, and nothing to a log for minutes while it
downloads or unpacks PyTorch. The progress of downloads needs pip 24.1.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from pathlib import PurePosixPath

EVERY_S = 5.0
LAST_LINES = 60  # of pip's output, printed if it fails


class Phase:
    """The current step, which pip gives in its output."""

    def __init__(self, text: str = "starting pip") -> None:
        self.text = text
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
    install = ["pip", "install", "--disable-pip-version-check", "--progress-bar", "raw", "--no-compile"]
    if status := _run([*install, *arguments], Phase(), began):
        return status
    # As pip would do it on a single core. Like pip, it leaves out files that are not for this Python.
    compilation = ["compileall", "-qq", "-j", "0", sysconfig.get_path("purelib")]
    _run(compilation, Phase("compiling the packages"), began)
    print(f"installed {' '.join(arguments)} in {time.monotonic() - began:.0f} s")
    return 0


def _run(module: list[str], phase: Phase, began: float) -> int:
    """Run a module with arguments, showing its phase and the seconds since the beginning; its exit status.

    The last lines of its output are printed if it fails.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    last = deque[str](maxlen=LAST_LINES)

    def read() -> None:
        for line in process.stdout or ():
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
    status = process.wait()
    if status:
        print("".join(last), end="")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
