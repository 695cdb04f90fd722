"""The time of a test run: seconds and tests of each folder, and its longest files."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from pathlib import PurePosixPath

import pytest

FILES = 3  # named per folder


class Seconds:
    """Adds up what tests take, their fixtures included; of all processes if several share the tests."""

    def __init__(self) -> None:
        self._began = time.time()
        self._first: float | None = None
        self._seconds: defaultdict[PurePosixPath, float] = defaultdict(float)
        self._tests: Counter[PurePosixPath] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._first = self._first or report.start
        file = PurePosixPath(report.nodeid.partition("::")[0])
        self._seconds[file] += report.duration
        self._tests[file] += report.when == "setup"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._first is None:
            return
        folders: defaultdict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        for file in sorted(self._seconds, key=lambda file: -self._seconds[file]):
            folders[file.parent].append(file)
        whole = {folder: sum(self._seconds[file] for file in files) for folder, files in folders.items()}
        terminalreporter.section("where the time goes")
        terminalreporter.line(f"{self._first - self._began:7.1f} s before the first test")
        for folder in sorted(whole, key=lambda folder: -whole[folder]):
            tests = sum(self._tests[file] for file in folders[folder])
            longest = ", ".join(
                f"{file.name} {self._seconds[file]:.0f} s" for file in folders[folder][:FILES]
            )
            terminalreporter.line(f"{whole[folder]:7.1f} s {tests:5} tests  {folder}: {longest}")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Seconds())
