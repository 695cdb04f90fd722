"""What is kept of a scenario is exactly what `prepare` computes, and is given without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.kept_predictions import LARGEST, keep, kept
from benchmarks.training.recipes import Recipe
from benchmarks.trial import prepared
from benchmarks.trial.cached_scenarios import cached_scenario
from benchmarks.trial.packed import Packed
from benchmarks.trial.prepared import prepare

SCENARIO = Scenario("digits", "cnn2", "full_class", "8")
RECIPE = Recipe(epochs=1)
WITHOUT_TORCH = """
import sys
from benchmarks.trial.cached_scenarios import cached_scenario
from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.loop import Recipe
scenario = Scenario("digits", "cnn2", "full_class", "8")
cached = cached_scenario(scenario, Recipe(epochs=1), 100, device="cpu", threads=THREADS)
print(cached is not None, "torch" in sys.modules, "sklearn" in sys.modules)
"""


@pytest.fixture(scope="module")
def computed() -> Packed:
    return prepare(SCENARIO, recipe=RECIPE, eval_limit=100).packed


def cached(**options: Any) -> Packed | None:
    given = {"device": "cpu", "threads": torch.get_num_threads(), **options}
    scenario = cached_scenario(SCENARIO, RECIPE, given.pop("eval_limit", 100), **given)
    return scenario.packed if scenario else None


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return first.keys() == second.keys() and all(
        a.dtype == second[name].dtype and a.shape == second[name].shape and np.array_equal(a, second[name])
        for name, a in first.items()
    )


def test_a_cached_scenario_equals_the_computed_scenario_bit_for_bit(computed: Packed) -> None:
    scenario = cached(keep_retrained=True)
    assert scenario is not None
    assert same(scenario.original, computed.original)
    assert same(scenario.original_logits, computed.original_logits)
    assert all(map(same, scenario.retrained_logits, computed.retrained_logits))
    assert len(scenario.retrained_logits) == len(computed.retrained_logits)
    for name in ("original_id", "weights_id", "recipe", "retrained_from"):
        assert getattr(scenario, name) == getattr(computed, name)
    again = prepare(SCENARIO, recipe=RECIPE, eval_limit=100, keep_retrained=True).packed
    assert len(scenario.retrained) == len(again.retrained) == 1
    assert same(scenario.retrained[0], again.retrained[0])


def test_nothing_is_predicted_again(computed: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "predict", None)
    again = prepare(SCENARIO, recipe=RECIPE, eval_limit=100).packed
    assert all(map(same, again.retrained_logits, computed.retrained_logits))
    assert len(again.retrained_logits) == len(computed.retrained_logits)


def test_whatever_decides_them_is_asked_for(computed: Packed) -> None:
    assert cached() is not None
    assert cached(eval_limit=99) is None
    assert cached(threads=torch.get_num_threads() + 1) is None
    assert cached(device="cuda") is None
    assert cached(record=True) is None


def test_a_driver_does_without_torch(computed: Packed) -> None:
    code = WITHOUT_TORCH.replace("THREADS", str(torch.get_num_threads()))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]


def test_damaged_predictions_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, computed: Packed
) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    keep("name", computed.original_logits)
    [file] = tmp_path.rglob("name.bin")
    scenario = kept("name")
    assert scenario is not None
    assert same(scenario, computed.original_logits)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert kept("name") is None
    file.write_bytes(b"")
    assert kept("name") is None


def test_what_is_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    keep("large", {"test": np.broadcast_to(np.float32(0), (LARGEST // 4 + 1,))})
    assert not list(tmp_path.rglob("*.bin"))
