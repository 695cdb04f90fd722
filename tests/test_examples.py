"""The examples run as they are in the repository."""

from __future__ import annotations

import base64
import io
import json
import os
import runpy
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.methods import methods
from cluster.connect import session
from cluster.slots import Slots
from tests.cores import single_core
from tests.marks import STARTS_RAY

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "analysis.ipynb"
FEWER = {
    'dataset="digits"': 'dataset="digits@400"',
    '"epochs": 6': '"epochs": 2',
    '"trials": 12': '"trials": 3',
    '"forget": ["3", "8"], "seeds": 3': '"forget": ["8"], "seeds": 2',
    "points=7": "points=3",
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook with its outputs, run in a new folder with fewer trials and epochs."""
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (pip install 'unlearnbench[dev]')")
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    folder = tmp_path_factory.mktemp("example")
    text = NOTEBOOK.read_text()
    for many, few in FEWER.items():
        escaped, fewer = (json.dumps(value)[1:-1] for value in (many, few))
        assert text.count(escaped) == 1
        text = text.replace(escaped, fewer)
    notebook = nbformat.reads(text, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=400, resources={"metadata": {"path": str(folder)}})
    with single_core():
        client.execute()
    return notebook


def outputs(notebook: Any, kind: str) -> list[str]:
    """The outputs of its cells in one format."""
    return [
        output["data"][kind]
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if kind in output.get("data", {})
    ]


@STARTS_RAY
@pytest.mark.timeout(900)
def test_the_notebook_runs_and_shows_tables_and_figures(executed: Any) -> None:
    pictures = [base64.b64decode(text) for text in outputs(executed, "image/png")]
    assert len(pictures) >= 3
    for picture in pictures:
        width, height = struct.unpack(">II", picture[16:24])
        assert width > 300
        assert height > 150
    tables = outputs(executed, "text/html")
    assert len(tables) >= 6, "the plan, its result, the analysis and pandas' tables"
    errors = [o["text"] for c in executed["cells"] for o in c.get("outputs", ()) if o.get("name") == "stderr"]
    assert not errors


def test_it_is_stored_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def run(folder: Path, example: str, *arguments: str) -> str:
    """The output of an example that runs in a folder, with fewer trials than by default."""
    command = [sys.executable, str(ROOT / "examples" / example), *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    with single_core():
        done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_here(folder: Path, example: str, *arguments: str) -> str:
    """The same in this process, which saves the imports, and uses the Ray session that is open."""
    path, output = str(ROOT / "examples" / example), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output):
        patch.chdir(folder)
        patch.setattr(sys, "argv", [path, *arguments])
        runpy.run_path(path, run_name="__main__")
    return output.getvalue()


@pytest.fixture(scope="module")
def ray_session() -> Iterator[None]:
    with session(Slots(workers=1, cpus=1, gpus=0)):
        yield


@pytest.mark.usefixtures("ray_session")
def test_a_search_on_your_own_checkpoint(tmp_path: Path) -> None:
    output = run_here(tmp_path, "own_checkpoint.py", "3")
    assert "your checkpoint: test accuracy 9" in output
    assert "best: {'lr': " in output


def test_a_new_method_in_one_file(tmp_path: Path) -> None:
    try:
        _, *lines = run_here(tmp_path, "new_method.py").splitlines()
    finally:
        methods.remove("reset_head")
    gaps = {(name, lr): float(gap) for name, lr, _, _, gap in (line.split() for line in lines)}
    assert len(gaps) == 6
    assert gaps["reset_head", "0.01"] < gaps["finetune", "0.02"]


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("ray_session")
def test_a_sensitivity_analysis_with_the_tables_and_the_picture_of_its_results(tmp_path: Path) -> None:
    output = run_here(tmp_path, "sensitivity_analysis.py", "3", "3")
    assert "best of 3 trials: {'lr': " in output
    assert "one parameter at a time" in output
    assert list(tmp_path.glob("sensitivity-*.png"))

    tables = run_here(tmp_path, "results_in_pandas.py")
    assert "the best trial of every search" in tables
    assert "'unit': 'points'" in tables

    run_here(tmp_path, "readme_picture.py")
    width, height = struct.unpack(">II", (tmp_path / "sensitivity.png").read_bytes()[16:24])
    assert width > 2 * height


@pytest.mark.several_nodes
@STARTS_RAY
def test_a_cluster_on_this_machine_is_ended_with_the_script(tmp_path: Path) -> None:
    output = run(tmp_path, "local_cluster.py", "3", "1")
    assert "best: {'lr': " in output
    [address] = [line.split()[-1] for line in output.splitlines() if line.startswith("Ray runs at ")]
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if any(address in word for word in command)]
