"""Deleting a run: completely, nothing of other runs, and not while its driver is running."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from analysis.monitoring.watched import runs
from analysis.results import load
from analysis.results.store import Store
from search.commands import runs as command
from search.errors import ResultsError
from search.results.deletion import delete_run
from search.results.writer import Finished, Results
from tests.search.results.made_trials import trial

CLASS = {"split": "test", "class": "1", "forgotten": True, "correct": 4, "total": 5}


def fill(folder: Path, *names: str) -> None:
    """Two trials of each run, with a class and an image each."""
    for name in names:
        with Results(folder, name) as results:
            results.save_plan({"run": name})
            for n in range(2):
                row = trial(n, run_id=name)
                results.append([Finished(row, [CLASS], [{"image": n}])])


def test_a_run_goes_with_its_details_and_record_and_the_others_stay(tmp_path: Path) -> None:
    fill(tmp_path, "one", "one-more")
    gone = delete_run(tmp_path, "one")
    assert str(gone) == "deleted run one: 2 rows of trials, 2 rows of classes, 2 rows of samples, 4 files"
    assert list(runs(tmp_path)["run"]) == ["one-more"]
    assert set(load.trials(tmp_path)["run_id"]) == {"one-more"}
    assert set(load.samples(tmp_path)["run_id"]) == {"one-more"}
    assert {file.name.split(".")[0] for file in tmp_path.rglob("*") if file.is_file()} == {"one-more"}


def test_an_unknown_run_is_named_with_the_nearest(tmp_path: Path) -> None:
    fill(tmp_path, "rocket-search-0a")
    with pytest.raises(ResultsError, match=r"no run 'rocket-search-0b' in .*; did you mean"):
        delete_run(tmp_path, "rocket-search-0b")


def test_a_run_at_work_is_not_deleted(tmp_path: Path) -> None:
    with Results(tmp_path, "one") as results:
        results.append([Finished(trial(0, run_id="one"))])
        with pytest.raises(ResultsError, match=r"run 'one' is being written by another process"):
            delete_run(tmp_path, "one")
    assert len(load.trials(tmp_path)) == 1


def test_cut_off_at_any_file_no_trial_lacks_details_and_the_same_deletes_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "one", "other")
    delete, left = Store.delete, 0

    def failing(self: Store, file: str) -> None:
        nonlocal left
        if "/leases/" not in file:
            if not left:
                raise OSError(28, "No space left on device")
            left -= 1
        delete(self, file)

    monkeypatch.setattr(Store, "delete", failing)
    for count in range(4):
        left = count
        with pytest.raises(ResultsError, match="then the same command deletes the rest"):
            delete_run(tmp_path, "one")
        trials = load.trials(tmp_path)
        assert set(trials["trial_id"]) <= set(load.classes(tmp_path)["trial_id"])
        assert "one" in set(runs(tmp_path)["run"]), "what is left can be seen"
        left = 1000
        fill(tmp_path, "one")
    monkeypatch.undo()
    delete_run(tmp_path, "one")
    assert list(runs(tmp_path)["run"]) == ["other"]


def test_the_command_asks_before_it_deletes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    command.register(app)
    fill(tmp_path, "one", "other")

    def run(*words: str, answer: str = "") -> str:
        done = CliRunner().invoke(app, [str(tmp_path), *words], input=answer, catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    with pytest.raises(ResultsError, match="cannot ask for confirmation without a terminal"):
        run("--delete", "one")
    monkeypatch.setattr(command, "_can_ask", lambda: True)
    asked = run("--delete", "one", answer="n\n")
    assert "one: 2 trials" in asked
    assert "nothing was deleted" in asked
    assert "deleted run one" in run("--delete", "one", answer="y\n")
    assert "deleted run other" in run("--delete", "other", "--yes")
    assert run() == f"no run in {tmp_path} yet; run a plan with --results {tmp_path}\n"


def test_the_list_is_for_people_and_for_programs(tmp_path: Path) -> None:
    import json

    app = typer.Typer()
    command.register(app)
    fill(tmp_path, "one")
    [row] = json.loads(CliRunner().invoke(app, [str(tmp_path), "--json"]).output)
    assert (row["run"], row["trials"], row["wanted"], row["state"]) == ("one", 2, None, "unknown")
    head, line = CliRunner().invoke(app, [str(tmp_path)]).output.splitlines()
    assert head.split("\t") == ["run", "trials", "failed", "state", "first", "last", "version", "methods"]
    assert line.split("\t")[:4] == ["one", "2", "0", "unknown"]
