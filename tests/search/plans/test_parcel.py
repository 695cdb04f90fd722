"""A parcel for a cluster: the plan, and weights that were read as weights, under new names."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.errors import DataError
from search.errors import PlanError
from search.plans.parcel import parcel
from tests.search.conftest import PLAN


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    import torch

    file = tmp_path / "typer.py"  # a name that the command on the head imports
    torch.save({"a": torch.zeros(2)}, file)
    return file


def plan_with(folder: Path, more: str) -> str:
    path = folder / "plan.yaml"
    path.write_text(PLAN + more)
    return str(path)


def test_weights_travel_under_a_name_that_no_module_has(tmp_path: Path, weights: Path) -> None:
    text = f"checkpoint: {weights}  # of last week\neval_limit: 200\n"
    sent = parcel(plan_with(tmp_path, text))
    assert (sent.name, sent.files) == ("tiny", {"checkpoint.pt": weights})
    assert sent.text == PLAN + "checkpoint: checkpoint.pt  # of last week\neval_limit: 200\n"


@pytest.mark.parametrize("written", ["'{}'", '"{}"', "|-\n  {}"])
def test_however_a_path_is_written(tmp_path: Path, weights: Path, written: str) -> None:
    import yaml

    sent = parcel(plan_with(tmp_path, f"checkpoint: {written.format(weights)}\neval_limit: 200\n"))
    assert yaml.safe_load(sent.text) == {
        **yaml.safe_load(PLAN),
        "checkpoint": "checkpoint.pt",
        "eval_limit": 200,
    }


def test_both_models_travel_with_their_settings(tmp_path: Path, weights: Path) -> None:
    text = "checkpoint: {{file: {0}, scale: 255}}\nretrained:\n  file: {0}\n".format
    plan = PLAN[: PLAN.index("benchmark:")]
    (tmp_path / "plan.yaml").write_text(plan + text(weights))
    sent = parcel(str(tmp_path / "plan.yaml"))
    assert sent.files == {"checkpoint.pt": weights, "retrained.pt": weights}
    assert sent.text == plan + text("checkpoint.pt").replace("  file: checkpoint", "  file: retrained")


def test_code_instead_of_weights_does_not_travel(tmp_path: Path, weights: Path) -> None:
    weights.write_text("print('run on the head')")
    with pytest.raises(DataError, match=r"typer\.py"):
        parcel(plan_with(tmp_path, f"checkpoint: {weights}\n"))


def test_a_path_that_stands_elsewhere_too_is_refused(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights.rename("tiny")
    (tmp_path / "plan.yaml").write_text(PLAN.replace("name: tiny", "name: &x tiny") + "checkpoint: *x\n")
    with pytest.raises(PlanError, match="'checkpoint' cannot be sent as it is written"):
        parcel("plan.yaml")


def test_a_plan_without_weights_travels_as_it_is(tmp_path: Path) -> None:
    sent = parcel(plan_with(tmp_path, "checkpoint: null\n"))
    assert (sent.text, sent.files) == (PLAN + "checkpoint: null\n", {})
