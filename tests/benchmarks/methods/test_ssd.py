"""SSD's dampening rule and both kinds of importance in NumPy for a linear model."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.methods.ssd import SsdParams
from benchmarks.trial.shared_work import generator
from tests.benchmarks.helpers import rng, tiny_data, weights

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


SSD = methods.get("ssd")
CLASSES, SIZE, FORGET = 3, 4, [0, 1, 2]
BASE = SsdParams(alpha=0.9, dampening=0.8, batch_size=2)


@pytest.fixture
def problem() -> tuple[np.ndarray, ...]:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(9, 1, 2, 2)), np.array([0, 0, 0, 1, 2, 1, 2, 1, 2])
    return draw.normal(size=(CLASSES, SIZE)), draw.normal(size=CLASSES), x, y


def linear(w: np.ndarray, b: np.ndarray) -> nn.Module:
    layer = nn.Linear(SIZE, CLASSES, dtype=torch.float64)
    layer.weight.data, layer.bias.data = torch.from_numpy(w.copy()), torch.from_numpy(b.copy())
    return nn.Sequential(nn.Flatten(), layer)


def gradients(w: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gradients of each image's cross-entropy, for weight and bias together: shape (n, classes, size + 1)."""
    inputs = np.concatenate([x.reshape(len(x), -1), np.ones((len(x), 1))], axis=1)
    z = inputs @ np.concatenate([w, b[:, None]], axis=1).T
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    p[np.arange(len(x)), y] -= 1
    return p[:, :, None] * inputs[:, None, :]


def importance(w: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray, params: SsdParams) -> np.ndarray:
    each = gradients(w, b, x, y)
    if params.importance == "per_image":
        return (each**2).mean(0)
    parts = [each[i : i + params.batch_size].mean(0) ** 2 for i in range(0, len(x), params.batch_size)]
    return np.mean(parts, axis=0)


def expected(problem: tuple[np.ndarray, ...], params: SsdParams, order: np.ndarray) -> np.ndarray:
    w, b, x, y = problem
    of_all = importance(w, b, x[order], y[order], params)
    of_forget = importance(w, b, x[FORGET], y[FORGET], params)
    theta = np.concatenate([w, b[:, None]], axis=1)
    for i, j in np.ndindex(*theta.shape):
        if of_forget[i, j] > params.alpha * of_all[i, j]:
            theta[i, j] *= min(params.dampening * of_all[i, j] / of_forget[i, j], 1.0)
    return theta


VARIANTS = {
    "default": {},
    "selects_more": {"alpha": 0.2, "dampening": 0.15},
    "never_enlarges": {"alpha": 0.2, "dampening": 5.0},
    "dampens_more": {"dampening": 0.05},
    "per_image": {"importance": "per_image"},
    "one_batch": {"batch_size": 100},
    "batches_of_one": {"batch_size": 1},
    "stored_order": {"order": "stored"},
}


def unlearn(problem: tuple[np.ndarray, ...], params: SsdParams) -> np.ndarray:
    w, b, x, y = problem
    data = tiny_data(SSD, torch.from_numpy(x), torch.from_numpy(y), FORGET, num_classes=CLASSES)
    model = SSD.unlearn(linear(w, b), data, params, rng(3))
    layer = model[1]
    return torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().numpy()


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_rule(
    problem: tuple[np.ndarray, ...], changes: dict[str, float | str]
) -> None:
    params = replace(BASE, **changes)
    order = np.array([3, 4, 5, 6, 7, 8, *FORGET])
    if params.order == "shuffled":
        draw = generator(0, "ssd", "importance", (params.importance, params.batch_size))
        order = torch.randperm(9, generator=draw).numpy()
    assert np.allclose(unlearn(problem, params), expected(problem, params, order), rtol=1e-6, atol=0)


def test_every_variant_gives_other_weights(problem: tuple[np.ndarray, ...]) -> None:
    result = {name: unlearn(problem, replace(BASE, **v)).tobytes() for name, v in VARIANTS.items()}
    assert len(set(result.values())) == len(VARIANTS)


def test_batches_of_a_single_image_give_the_importance_per_image(problem: tuple[np.ndarray, ...]) -> None:
    single = unlearn(problem, replace(BASE, batch_size=1))
    assert np.allclose(single, unlearn(problem, replace(BASE, importance="per_image")), rtol=1e-9)


def test_unimportant_and_equally_important_weights_stay_bit_for_bit(problem: tuple[np.ndarray, ...]) -> None:
    w, b, x, y = problem
    x = x.copy()
    x[:, 0, 0, 0] = 0  # no gradient ever reaches the first column: 0 > alpha * 0 is false
    result = unlearn((w, b, x, y), replace(BASE, alpha=0.1, dampening=0.1))
    assert np.array_equal(result[:, 0], w[:, 0])
    assert not np.isnan(result).any()
    assert not np.array_equal(result[:, 1:SIZE], w[:, 1:])


def test_batch_norm_statistics_stay() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)).double()
    data = tiny_data(
        SSD, torch.randn(9, 1, 2, 2, dtype=torch.float64), torch.arange(9) % 3, [0, 3], num_classes=3
    )
    before = copy.deepcopy(model[1].state_dict())
    after = SSD.unlearn(model.eval(), data, replace(BASE, alpha=1e-3, dampening=0.01), rng())[1].state_dict()
    for name in ("running_mean", "running_var"):
        assert torch.equal(before[name], after[name])
    assert not torch.equal(before["weight"], after["weight"])


@pytest.mark.parametrize("importance", ["per_batch", "per_image"])
def test_it_forgets_digits_and_counts_its_passes(digits: Prepared, importance: str) -> None:
    alpha = 20.0 if importance == "per_batch" else 2.0
    result = run_trial(digits, "ssd", {"alpha": alpha, "dampening": 1.0, "importance": importance})
    assert result.metrics["gap"] < digits_gap(digits) / 2
    retain, forget = (len(digits.splits[f"{part}_train"]) for part in ("retain", "forget"))
    assert result.cost.samples_forward == result.cost.samples_backward == retain + 2 * forget


def digits_gap(digits: Prepared) -> float:
    return run_trial(digits, "original").metrics["gap"]


def test_the_shared_seed_decides_and_the_trial_seed_does_not(digits: Prepared) -> None:
    def run(**seeds: object) -> torch.Tensor:
        return weights(run_trial(digits, "ssd", **seeds).model)

    assert torch.equal(run(seed=0, shared_seed=5), run(seed=1, shared_seed=5))
    assert torch.equal(run(seed=1), run(seed=0, shared_seed=1))
    assert not torch.equal(run(seed=0), run(seed=1))
