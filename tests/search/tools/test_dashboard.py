"""optuna-dashboard on a table, in a real browser: its studies, new trials, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from search.errors import ResultsError
from search.plans.plan import Plan
from search.tools import dashboard
from search.tools.dashboard import Studies, serving
from tests.browser import Visit
from tests.marks import BROWSER
from tests.search.made_searches import search_in_steps, write_search
from tests.search.tools.test_export import longer

pytestmark = BROWSER
pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")


@pytest.fixture
def searched(tmp_path: Path, plan: Plan) -> Path:
    write_search(tmp_path / "results", longer(plan, 12))
    return tmp_path / "results"


def quiet(line: str) -> None:
    raise AssertionError(line)


def get(address: str, host: str | None = None) -> Any:
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_a_browser_shows_every_study_with_its_best_and_new_rows_appear(
    searched: Path, plan: Plan, visit: Callable[..., Visit]
) -> None:
    with serving(searched, 0, "127.0.0.1", quiet, every_s=0.1) as (address, studies):
        seen = visit(address)
        for name in studies.names:
            seen.page.get_by_text(name).first.wait_for(timeout=90_000)
        jit = next(name for name in studies.names if name.startswith("jit"))
        seen.page.get_by_text(jit).first.click()
        seen.page.get_by_text("Best Trial", exact=False).first.wait_for(timeout=90_000)
        shown = seen.page.inner_text("body")
        best = min(t.values[0] for t in trials(studies, jit) if t.values)
        assert str(best)[:8] in shown
        seen.page.goto(f"{seen.page.url}/trials")
        seen.page.get_by_text("12 Trials").wait_for(timeout=90_000)
        write_search(searched, longer(plan, 15))
        seen.page.get_by_text("15 Trials").wait_for(timeout=90_000)  # without a reload
        assert not seen.errors
        assert all(request.startswith(address) for request in seen.requests)


def trials(studies: Studies, name: str) -> list[Any]:
    ids = {study.study_name: study._study_id for study in studies.storage.get_all_studies()}
    return studies.storage.get_all_trials(ids[name])


def test_rows_appear_while_a_search_writes_them(tmp_path: Path, plan: Plan) -> None:
    steps = search_in_steps(tmp_path, longer(plan, 5))
    next(steps)
    studies = Studies(tmp_path)
    studies.refresh()
    (name,) = studies.names
    assert len(trials(studies, name)) == 1
    assert len(list(steps)) == 9
    studies.refresh()
    assert [len(trials(studies, name)) for name in studies.names] == [5, 5]


def test_a_trial_that_ran_again_replaces_the_failed_trial(searched: Path) -> None:
    from search.results.records import records
    from search.results.writer import Finished, Results

    studies = Studies(searched)
    studies.refresh()
    (run,) = {record["run_id"] for record in records(searched)}
    with Results(searched, run) as results:
        failed = [row for row in results.rows() if row["state"] == "failed"]
        results.drop_failed()
        results.append([Finished({**row, "state": "complete", "gap": 0.0}) for row in failed])
    studies.refresh()
    for name in studies.names:
        assert len(trials(studies, name)) == 12
        assert min(t.value for t in trials(studies, name) if t.values) == 0


def test_an_empty_folder_waits_for_its_first_rows_and_none_is_refused(tmp_path: Path, plan: Plan) -> None:
    with pytest.raises(ResultsError, match=r"no results folder .*nowhere; give the folder"):
        Studies(tmp_path / "nowhere")
    with serving(tmp_path, 0, "127.0.0.1", quiet, every_s=0.1) as (address, studies):
        assert get(f"{address}api/studies") == {"study_summaries": []}
        write_search(tmp_path, longer(plan, 2))
        wait_for(lambda: len(studies.names) == 2)
        assert len(get(f"{address}api/studies")["study_summaries"]) == 2


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_unreadable_results_are_reported_once_and_again_when_they_can_be_read(searched: Path) -> None:
    lines: list[str] = []
    with serving(searched, 0, "127.0.0.1", lines.append, every_s=0.05):
        foreign = searched / "trials" / "foreign.parquet"
        foreign.write_text("not Parquet")
        wait_for(lambda: bool(lines))
        time.sleep(0.3)
        foreign.unlink()
        wait_for(lambda: len(lines) == 2)
    assert lines[0].startswith("not refreshed: ")
    assert "foreign.parquet" in lines[0]
    assert lines[1] == "refreshed again"


def test_only_requests_by_the_names_of_this_machine_are_answered(searched: Path) -> None:
    with serving(searched, 0, "127.0.0.1", quiet) as (address, _):
        assert get(f"{address}api/studies", host="localhost:8080")["study_summaries"]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            get(f"{address}api/studies", host="elsewhere.example:8080")


def test_a_port_that_is_taken_and_a_missing_package_are_named(
    searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(searched, 0, "127.0.0.1", quiet) as (address, _):
        port = int(address.rstrip("/").rpartition(":")[2])
        with pytest.raises(ResultsError, match=rf"port {port} of 127.0.0.1 is taken; give another"):
            dashboard.dashboard(searched, port)
    monkeypatch.setattr(dashboard, "find_spec", lambda name: None)
    with pytest.raises(ResultsError, match=r"pip install 'unlearnbench\[dashboard\]'"):
        dashboard.dashboard(searched)


@pytest.fixture
def command(searched: Path) -> Iterator[subprocess.Popen[str]]:
    code = "from unlearnbench.command import main; main()"
    arguments = [sys.executable, "-c", code, "dashboard", str(searched), "--port", "0"]
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield running
    running.kill()
    running.wait()


def test_the_command_says_its_address_and_ends_quietly(command: subprocess.Popen[str]) -> None:
    assert command.stdout is not None
    line = command.stdout.readline()
    address = line.split("): ")[1].split()[0]
    assert "(2 studies)" in line
    assert len(get(f"{address}api/studies")["study_summaries"]) == 2
    os.kill(command.pid, signal.SIGINT)
    out, err = command.communicate(timeout=20)
    assert (command.returncode, out, err) == (0, "", "")
