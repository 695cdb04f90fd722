"""The share of weights that a method changed, and by how much."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.access import TrialData
from benchmarks.metrics import measure
from benchmarks.weights.change import weight_change
from tests.benchmarks.helpers import function_method

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


NAMES = ("weights_changed", "weights_moved")


def network() -> nn.Linear:
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 0, 0], [0, 4, 0]]))
        model.bias.zero_()
    return model


def test_values_equal_their_formulas() -> None:
    original, model = network(), network()
    with torch.no_grad():
        model.weight[0, 0] = 0.0
        model.weight[1, 2] = 4.0
    change = weight_change(original, model)
    assert change.changed == 100 * 2 / 8
    assert change.moved == pytest.approx(5 / 5)


def test_a_copy_has_not_changed_and_nor_has_rounding() -> None:
    original = nn.Linear(200, 200)
    assert weight_change(original, copy.deepcopy(original)) == weight_change(original, original)
    assert weight_change(original, original).changed == weight_change(original, original).moved == 0
    rounded = copy.deepcopy(original)
    with torch.no_grad():
        for p in rounded.parameters():
            p.mul_(3).div_(3)
    assert not torch.equal(rounded.weight, original.weight)
    assert weight_change(original, rounded).changed == 0


def test_a_small_change_of_a_small_weight_counts() -> None:
    original = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        original.weight.copy_(torch.tensor([[1.0, 1e-20]]))
    model = copy.deepcopy(original)
    with torch.no_grad():
        model.weight[0, 1] *= 1.001
    assert weight_change(original, model).changed == 50


def test_running_statistics_are_not_weights() -> None:
    original = nn.BatchNorm1d(3)
    model = copy.deepcopy(original)
    model.train()(torch.randn(8, 3))
    assert not torch.equal(model.running_mean, original.running_mean)  # type: ignore[arg-type]
    assert weight_change(original, model).changed == 0


def test_a_network_of_other_parameters_has_no_figure() -> None:
    for other in (nn.Linear(3, 3), nn.Sequential(network())):
        change = weight_change(network(), other)
        assert math.isnan(change.changed)
        assert math.isnan(change.moved)


def test_a_trial_measures_what_its_method_did(digits: Prepared) -> None:
    def change_row(model: nn.Module, data: TrialData, rng: torch.Generator) -> nn.Module:
        with torch.no_grad():
            next(model.parameters())[0] += 1
        return model

    result = run_trial(digits, function_method(change_row), metrics=NAMES)
    sizes = [p.numel() for p in digits.original.parameters()]
    changed = next(digits.original.parameters())[0].numel()
    assert result.metrics["weights_changed"] == pytest.approx(100 * changed / sum(sizes))
    assert result.metrics["weights_moved"] > 0
    assert all(math.isnan(value) for value in result.targets.values())
    untouched = run_trial(digits, "original", metrics=NAMES).metrics
    assert untouched == {"weights_changed": 0, "weights_moved": 0}


def test_predictions_alone_have_no_weights(digits: Prepared) -> None:
    references = digits.references("test")
    assert all(math.isnan(v) for v in measure(references.original, references, NAMES).values())
