"""Searches from a notebook and from a plain script, in a folder with files named like our packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cores import single_core
from tests.marks import STARTS_RAY
from tests.test_docs import ROOT, blocks

pytestmark = STARTS_RAY
PLAN = """
import unlearnbench as ub

plan = ub.Plan.of(
    name="cell", dataset="digits@400", model="cnn2", task="full_class", methods="finetune", eval_limit=100,
    training={"epochs": 1, "batch_size": 128}, resources={"workers": 1},
    search={"forget": 8, "trials": 3, "space": {"finetune": {"epochs": 1}}},
)
"""
LESS_WORK = {'dataset="digits"': 'dataset="digits@400"', '"forget": [3, 8]': '"forget": [8]'}
IN_A_THREAD = """
import threading

searches = []
thread = threading.Thread(target=lambda: searches.append(ub.search(plan, trials={trials})))
thread.start()
thread.join()
(result,) = searches
result
"""
# This module records its importer, then becomes the module that it replaces
WITNESS = """
import pathlib, sys, sysconfig
with pathlib.Path(__file__).with_name("importers.txt").open("a") as file:
    print(sys.argv[0], file=file)
real = pathlib.Path(sysconfig.get_paths()["stdlib"], "statistics.py")
exec(compile(real.read_text(), str(real), "exec"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with modules named like our packages, and one that workers import, too."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("analysis", "benchmarks", "cluster", "search"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the working folder was run')\n")
    (folder / "statistics.py").write_text(WITNESS)
    return folder


def not_imported_by_workers(folder: Path) -> bool:
    importers = folder / "importers.txt"
    return not importers.exists() or "worker" not in importers.read_text()


class Notebook:
    """A Jupyter kernel in a folder, started like that of a notebook there."""

    def __init__(self, folder: Path) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(cwd=str(folder))

    def start(self, code: str) -> str:
        return str(self.client.execute(code))

    def finish(self, message: str, timeout: float = 240) -> dict[str, Any]:
        """The text of a cell, the data that it displays, and the error that it raised."""
        output: dict[str, Any] = {"text": "", "data": {}}
        while True:
            received = self.client.get_iopub_msg(timeout=timeout)
            if received["parent_header"].get("msg_id") != message:
                continue
            content = received["content"]
            if received["msg_type"] == "stream":
                output["text"] += content["text"]
            elif received["msg_type"] == "execute_result":
                output["data"] = content["data"]
            elif received["msg_type"] == "error":
                output |= {"ename": content["ename"], "evalue": content["evalue"]}
            elif received["msg_type"] == "status" and content["execution_state"] == "idle":
                return output

    def run(self, code: str) -> dict[str, Any]:
        return self.finish(self.start(code))

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()


@pytest.fixture(scope="module")
def notebook(folder: Path) -> Iterator[Notebook]:
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (pip install 'unlearnbench[dev]')")
    opened = Notebook(folder)
    yield opened
    opened.client.stop_channels()
    opened.manager.shutdown_kernel(now=True)


def rows(results: Path) -> int:
    return len(pd.read_parquet(results / "trials")) if list(results.rglob("trials/**/[!.]*.parquet")) else 0


@pytest.mark.timeout(600)
def test_a_search_in_a_notebook_is_stopped_resumed_in_a_thread_and_shown(
    notebook: Notebook, folder: Path
) -> None:
    setting = notebook.run(f"import os; print(os.environ['MPLBACKEND'])\n{PLAN}")
    assert "matplotlib_inline" in setting["text"], "a notebook sets another backend"
    cell = notebook.start("ub.search(plan, trials=3000)")
    until = time.monotonic() + 240
    while rows(folder / "results") < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    notebook.interrupt()
    stopped = notebook.finish(cell)
    assert stopped["ename"] == "Interrupted", stopped
    finished = rows(folder / "results")
    assert f"interrupted: {finished} of 3000 trials are done and kept in results" in stopped["evalue"]

    resumed = notebook.run(IN_A_THREAD.format(trials=finished + 1))
    assert f"{finished} of {finished + 1} trials are done already, resuming" in resumed["text"], resumed
    assert "\x1b" not in resumed["text"], "lines that move the cursor"
    assert "<table>" in resumed["data"]["text/html"]
    assert "finetune" in resumed["data"]["text/plain"]
    *_, card, _, line = notebook.run("print(result)")["text"].splitlines()
    assert card == "search of plan cell in results"
    assert line.split()[:3] == ["finetune", "8", f"{finished + 1}/{finished + 1}"]
    best = notebook.run("import json; print(json.dumps([result.best(), len(result.trials)]))")
    parameters, trials = json.loads(best["text"])
    assert trials == finished + 1
    table = pd.read_parquet(folder / "results" / "trials")
    assert parameters["lr"] == table.sort_values(["gap", "trial_number"]).param_lr.iloc[0]

    page = notebook.run("print(ub.report('results'))")
    assert (folder / page["text"].strip()).is_file(), page
    wrong = notebook.run("ub.search(plan, 'elsewhere', trials=0)")
    assert (wrong["ename"], wrong["evalue"]) == ("PlanError", "trials is 0; it can be 1 to 100000")
    assert notebook.run("import search; print(search.__name__)")["text"] == "search\n", (
        "the kernel still runs"
    )
    assert not_imported_by_workers(folder)


@pytest.mark.timeout(600)
def test_the_page_on_python_is_a_script_that_runs_without_a_main_guard(folder: Path) -> None:
    script = "\n".join(blocks("docs/python.md", "python"))
    for much, less in LESS_WORK.items():
        assert script.count(much) == 1
        script = script.replace(much, less)
    (folder / "script.py").write_text(script)
    with single_core():
        done = subprocess.run(
            [sys.executable, "script.py"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=500,
            env=os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        )
    assert done.returncode == 0, done.stderr
    assert "search of plan small in results" in done.stdout
    assert "forget_acc" in done.stdout.split("benchmark of plan small in results")[1]
    table = pd.read_parquet(folder / "results" / "trials")
    kinds = table[table.run_id.str.startswith("small-")].kind.value_counts()
    assert (kinds["search"], kinds["sensitivity"]) == (8, 3)
    assert (folder / "sigma.pdf").stat().st_size > 1000
    assert (folder / "results" / "report.html").is_file()
    assert not_imported_by_workers(folder)


def test_the_page_on_python_has_every_name() -> None:
    import unlearnbench

    page = (ROOT / "docs" / "python.md").read_text()
    missing = [name for name in unlearnbench.__all__ if f"`ub.{name}`" not in page.split("## Every name")[1]]
    assert not missing
