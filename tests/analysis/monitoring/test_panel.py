"""The panel fits the terminal, with what matters on top."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import analysis.cli
from analysis.commands import watch
from analysis.monitoring.drivers import Driver
from analysis.monitoring.files import RunFile, Wanted
from analysis.monitoring.panel import lines, report
from analysis.monitoring.watched import View
from tests.analysis.conftest import START, Row, trial, write
from tests.analysis.monitoring.test_state import trials


def view(count: int, running: Sequence[int] = (), rows: Sequence[Row] = ()) -> View:
    """Runs with one study of ten trials each; running ones are half done, the others are done."""
    trial_rows, records, drivers = list(rows), {}, []
    for n in range(count):
        run = f"plan-{n}-search-0123abc{n % 10}"
        done = 5 if n in running else 10
        trial_rows += [trial(i, run_id=f"{run}/1", method=f"method{n}", gap=20.0 - i) for i in range(done)]
        studies = (Wanted(f"method{n}", (f"{run}/1",), ("8",), 10),)
        records[run] = RunFile(run, f"plan-{n}", "search", "digits", "cnn2", "full_class", "", 1, studies)
        drivers += [Driver(run, "t", f"host{n}")] if n in running else []
    return View(START + timedelta(seconds=20), trials(trial_rows), records, tuple(drivers))


def test_what_runs_comes_first_and_what_does_not_fit_is_counted() -> None:
    failed = trial(99, run_id="bad", method="ssd", state="failed", error="no memory")
    shown = lines(view(30, running=[3], rows=[failed]), "results", 80, 24)
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 80
    assert shown[0].startswith("results at ")
    assert "31 runs, 1 running on host3" in shown[0]
    assert shown[1].startswith("best so far: method29, gap 11.00, search on digits")
    table = shown[3:]
    assert table[0].split() == ["method", "run", "scenario", "trials", "gap", "/min", "left"]
    assert table[1].startswith("method3 ")
    assert "5/10" in table[1]
    assert "███░░░" in table[1]
    assert table[2].split()[-1] == "unknown", "of what has a record or none, the finished come last"
    assert table[3].startswith("method29 "), "the latest of the finished"
    [more] = [line for line in table if line.startswith("and ")]
    assert more == f"and {31 - table.index(more) + 1} more: {31 - table.index(more) + 1} finished"
    assert "failed: 1 x no memory (ssd)" in shown


def test_ten_studies_fit_without_losing_a_figure() -> None:
    shown = lines(view(10, running=range(10)), "results", 80, 24)
    assert sum("5/10" in line for line in shown) == 10
    assert not any(line.startswith("and ") for line in shown)


def test_narrow_and_low_terminals_lose_lines_and_no_more() -> None:
    for width, height in ((40, 10), (20, 3), (200, 60)):
        shown = lines(view(12, running=[0]), "s3://a-long-bucket-name/with/a/long/prefix", width, height)
        assert len(shown) <= height
        assert max(map(len, shown)) <= width


def test_a_report_holds_everything_with_the_runs_whole_names() -> None:
    shown = report(view(30, running=[3]), "results")
    assert sum("0123abc" in line for line in shown) == 30
    assert (
        "plan-3-search-0123abc3: method3 on digits, cnn2, full_class, forgetting 8: 5/10 trials, "
        "best gap 16.00, 15 a minute, running, 20 s left"
    ) in shown


def test_names_do_nothing_to_a_terminal() -> None:
    bad = trial(0, run_id="x\x1b[2J", method="jit\n", forget="\x1b[31m8", error="\x1b[0m", state="failed")
    seen = view(0, rows=[bad])
    for shown in (lines(seen, "r\x1b", 80, 24), report(seen, "r\x1b")):
        assert all(line.isprintable() for line in shown)


def test_an_empty_folder_says_so() -> None:
    seen = view(1)
    empty = View(seen.at, seen.trials.iloc[:0], {}, ())
    assert lines(empty, "results", 80, 24)[-1] == "nothing has been run here yet"


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    analysis.cli.register(made)
    return made


def test_the_command_prints_once_without_a_terminal(app: typer.Typer, results: Path) -> None:
    done = CliRunner().invoke(app, ["watch", str(results)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "best so far: jit, gap 5.00" in done.output


def test_ctrl_c_leaves_the_last_view_and_no_error_also_while_the_results_are_gone(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "results", [trial(0)])
    looks = iter(["look", "look", "ctrl-c"])

    def sleep(seconds: float) -> None:
        assert seconds == 7
        if next(looks) == "ctrl-c":
            raise KeyboardInterrupt
        if (tmp_path / "results").exists():
            (tmp_path / "results").rename(tmp_path / "away")

    monkeypatch.setattr(watch, "_redraws", lambda console: True)
    monkeypatch.setattr(watch.time, "sleep", sleep)
    words = ["watch", str(tmp_path / "results"), "--every", "7"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    *_, table, row, trouble = done.output.rstrip().splitlines()
    assert table.startswith("method")
    assert row.startswith("jit")
    assert trouble.startswith("as it was: no results folder")
