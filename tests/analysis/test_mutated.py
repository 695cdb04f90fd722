"""Readers show any results folder, or name the file in the way in an error of one line."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis import cli
from analysis.errors import AnalysisError
from analysis.report.render import render
from analysis.results import load
from tests.analysis.conftest import class_rows, measured, sample_rows, step_rows, trial, write
from tests.analysis.mutations import Files, mutated

# Of 3,000 the first 529 meet all 15 ways in which readers refuse a folder
THOUSANDS = max(1, int(os.environ.get("UNLEARN_FUZZ", "1000")) // 1000)
READERS = (load.trials, load.classes, load.samples, load.steps)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A small results folder with all tables, as bytes."""
    folder = tmp_path_factory.mktemp("whole")
    rows = [measured("jit", seed, run_id="search-1") for seed in (1, 2)]
    write(folder, [trial(0), trial(1), *rows])
    write(folder, class_rows(rows), "classes")
    write(folder, sample_rows(rows), "samples")
    sequence = measured("jit", 3, task="sequence", forget="0>2")
    write(folder, step_rows(sequence, {"gap": 1.0}, {"gap": 2.0}), "steps")
    (folder / "_runs").mkdir()
    (folder / "_runs" / "search-1.yaml").write_text("name: run")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lay_out(files: Files, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def table(files: Files, name: str) -> Files:
    """The files of one table."""
    return {file: content for file, content in files.items() if file.startswith(f"{name}/")}


def outcome(read: Callable[[Path], object], folder: Path) -> str:
    """Whether a folder was read or refused, in a line that names it; anything else is raised."""
    line = ""
    try:
        read(folder)
    except AnalysisError as error:
        line = str(error)
    assert line.isprintable()
    assert not line or str(folder) in line
    return "refused" if line else "read"


@pytest.mark.parametrize("thousand", range(THOUSANDS))
def test_mutated_tables_are_read_or_refused_in_a_line(files: Files, tmp_path: Path, thousand: int) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(1000 * thousand, 1000 * (thousand + 1)):
        changed = mutated(files, random.Random(seed))
        for read in READERS:
            before, now = (table(content, read.__name__) for content in (files, changed))
            if before != now:
                lay_out(now, tmp_path / "results")
                outcomes[outcome(read, tmp_path / "results")] += 1
                if read is load.trials and seed % 10 == 0:
                    outcomes.update(
                        outcome(also, tmp_path / "results") for also in (load.columns, load.ranges)
                    )
    assert min(outcomes["read"], outcomes["refused"]) > 200


def test_commands_print_what_was_read(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that can be read, most of them with values that no run writes."""
    monkeypatch.setattr("analysis.report.page._svg", lambda figure, letters: "<svg/>")
    readable = 0
    for seed in range(10_000, 10_006):
        lay_out(mutated(files, random.Random(seed)), tmp_path / "results")
        if outcome(load.trials, tmp_path / "results") == "read":
            readable += 1
            for command in (cli.breakdown, cli.compare, cli.importance, render):
                outcome(command, tmp_path / "results")
    assert readable > 1
