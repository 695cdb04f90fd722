"""The example notebook runs from its first cell to its last, as it stands in the repository."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.cores import one_core
from tests.marks import OWN_RAY

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "analysis.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook with its outputs, run in a folder of its own."""
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (pip install 'unlearnbench[dev]')")
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    folder = tmp_path_factory.mktemp("example")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=400, resources={"metadata": {"path": str(folder)}})
    with one_core():
        client.execute()
    return notebook


def outputs(notebook: Any, kind: str) -> list[str]:
    """What its cells display in one form."""
    return [
        output["data"][kind]
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if kind in output.get("data", {})
    ]


@OWN_RAY
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


def test_it_is_kept_without_outputs() -> None:
    import json

    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
