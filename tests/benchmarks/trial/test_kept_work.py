"""SSD's importance stored with the model: the rows with it, and changed files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.errors import CacheError
from benchmarks.training.recipes import Recipe
from benchmarks.trial.kept_work import Keeping, read
from tests.benchmarks.helpers import weights


@pytest.fixture(scope="module")
def digits() -> Prepared:
    return prepare(Scenario("digits", "cnn2", "full_class", "8"), recipe=Recipe(epochs=2))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    return tmp_path / "models" / "shared"


def run(prepared: Prepared, work: Keeping | None, **params):
    result = run_trial(prepared, "ssd", params, shared_seed=4, work=work)
    assert result.state == "complete", result.error
    return result


def test_it_is_read_instead_of_computed_and_gives_the_same_weights(digits: Prepared, folder: Path) -> None:
    first = run(digits, Keeping())
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".lock", ".safetensors"]
    second, alone = run(digits, Keeping()), run(digits, None)
    assert first.cost.reused_s == 0 < second.cost.reused_s < second.cost.shared_s
    assert second.cost.samples_backward == alone.cost.samples_backward
    assert torch.equal(weights(second.model), weights(alone.model))


def test_other_options_have_other_files(digits: Prepared, folder: Path) -> None:
    run(digits, Keeping())
    run(digits, Keeping(), batch_size=64)
    run(digits, Keeping(), order="stored")  # of one forget set only, which is not kept
    assert len(list(folder.glob("*.json"))) == 2


def test_a_broken_file_is_reported(digits: Prepared, folder: Path) -> None:
    works = Keeping()
    run(digits, works)
    (key,) = works.kept
    next(folder.glob("*.safetensors")).write_bytes(b"0")
    with pytest.raises(CacheError, match=r"checksum; delete .*\.json"):
        read(key, torch.device("cpu"))


def test_only_what_a_method_names_is_kept(digits: Prepared, folder: Path) -> None:
    works = Keeping()
    run(digits, works)
    assert [key.name for key in works.kept] == ["importance"]
    assert [key.name for key in works.known] == ["forget_importance"]
