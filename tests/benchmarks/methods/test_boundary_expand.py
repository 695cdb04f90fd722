"""Boundary expand against plain SGD in NumPy on a network with an extra output."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.access import TrialData
from benchmarks.errors import UnsuitableModel
from benchmarks.methods import methods
from benchmarks.methods.boundary_expand import BoundaryExpandParams, shadow_class
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.test_boundary_shrink import descend

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared

Problem = tuple[list[np.ndarray], np.ndarray, np.ndarray]


EXPAND = methods.get("boundary_expand")
CLASSES, HIDDEN, SIZE, IMAGES = 4, 5, 6, 9
FORGET = [0, 2, 3, 5, 8]
BASE = BoundaryExpandParams(lr=0.3, epochs=2, batch_size=2)
VARIANTS = {
    "default": {},
    "one_batch": {"batch_size": 100},
    "no_momentum": {"momentum": 0.0},
    "weight_decay": {"weight_decay": 0.05},
    "longer": {"epochs": 5},
    "slower": {"lr": 0.01},
}


@pytest.fixture
def problem() -> Problem:
    draw = np.random.default_rng(0)
    w = [draw.normal(size=s) for s in ((HIDDEN, SIZE), (HIDDEN,), (CLASSES, HIDDEN), (CLASSES,))]
    return w, draw.normal(size=(IMAGES, SIZE)), draw.integers(CLASSES, size=IMAGES)


def network(w: list[np.ndarray]) -> nn.Module:
    first, last = (nn.Linear(w[i].shape[1], w[i].shape[0], dtype=torch.float64) for i in (0, 2))
    model = nn.Sequential(nn.Flatten(), first, nn.Tanh(), last)
    for p, value in zip(model.parameters(), w, strict=True):
        p.data = torch.from_numpy(value.copy())
    return model.eval()


def handle(problem: Problem, forget: list[int] = FORGET) -> TrialData:
    _, x, y = problem
    images = torch.from_numpy(x).view(IMAGES, 1, 2, 3)
    return tiny_data(EXPAND, images, torch.from_numpy(y), forget, num_classes=CLASSES, task="random")


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_widened_network_without_its_last_row(
    problem: Problem, changes: dict[str, float]
) -> None:
    params = replace(BASE, **changes)
    w, x, _ = problem
    draw = rng(5)
    row = torch.empty(1, HIDDEN, dtype=torch.float64)
    row.normal_(0, (2 / (HIDDEN + CLASSES + 1)) ** 0.5, generator=draw)
    wide = [w[0], w[1], np.concatenate([w[2], row.numpy()]), np.append(w[3], 0.0)]
    expected = descend(wide, x[FORGET], np.full(len(FORGET), CLASSES), params, draw)

    model = EXPAND.unlearn(network(w), handle(problem), params, rng(5))
    assert [tuple(p.shape) for p in model.parameters()] == [v.shape for v in w]
    pruned = [expected[0], expected[1], expected[2][:CLASSES], expected[3][:CLASSES]]
    for p, value in zip(model.parameters(), pruned, strict=True):
        assert np.allclose(p.detach().numpy(), value, rtol=1e-6, atol=1e-12)
    for old, value in zip(w, pruned, strict=True):
        assert not np.allclose(old, value, rtol=1e-4)


def test_every_variant_gives_other_weights(problem: Problem) -> None:
    result = {
        weights(EXPAND.unlearn(network(problem[0]), handle(problem), replace(BASE, **changes), rng()))
        .numpy()
        .tobytes()
        for changes in VARIANTS.values()
    }
    assert len(result) == len(VARIANTS)


@pytest.mark.parametrize(("mode", "training"), [("train", True), ("eval", False)])
def test_the_network_has_an_extra_output_while_it_learns_but_never_in_an_evaluation(
    problem: Problem, mode: str, training: bool
) -> None:
    widths = []
    model = network(problem[0])
    model.register_forward_hook(lambda m, _, out: widths.append((m.training, out.shape[1])))
    data = handle(problem)
    images = data.forget.pixels(data.forget.index)
    observed = []

    def observe(tracked: nn.Module, share: float) -> None:
        modes = [m.training for m in tracked.modules()]
        observed.append(tracked.eval()(images).shape[1])
        widths.pop()
        for module, was in zip(tracked.modules(), modes, strict=True):
            module.training = was

    data = replace(data, _observe=observe)
    unlearned = EXPAND.unlearn(model, data, replace(BASE, mode=mode), rng())
    steps = BASE.epochs * data.forget.steps(BASE.batch_size)
    assert widths == [(training, CLASSES + 1)] * steps
    assert observed == [CLASSES] * steps
    assert not any(m.training for m in unlearned.modules())
    assert unlearned.train()(images).shape[1] == CLASSES
    assert not any(m._forward_hooks for m in list(unlearned.modules())[1:])


def test_labels_are_not_used(problem: Problem) -> None:
    w, x, y = problem
    result = [
        weights(EXPAND.unlearn(network(w), handle((w, x, labels)), BASE, rng()))
        for labels in (y, (y + 1) % CLASSES)
    ]
    assert torch.equal(*result)


def test_the_shadow_class_starts_as_a_row_of_a_xavier_matrix() -> None:
    shadow = shadow_class(nn.Linear(10_000, 50), rng())
    assert shadow.weight.shape == (1, 10_000)
    assert shadow.weight.std().item() == pytest.approx((2 / 10_051) ** 0.5, rel=0.03)
    assert abs(shadow.weight.mean().item()) < 5e-4
    assert shadow.bias.tolist() == [0]
    assert shadow_class(nn.Linear(3, 2, bias=False, dtype=torch.float64), rng()).bias is None


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_batch_norms_statistics_move_in_train_mode_only(problem: Problem, mode: str) -> None:
    model = nn.Sequential(nn.BatchNorm2d(1, dtype=torch.float64), *network(problem[0])).eval()
    data = handle(problem, FORGET[:4])  # batches of two, as a single image has no statistics
    model = EXPAND.unlearn(model, data, replace(BASE, mode=mode), rng())
    assert torch.equal(model[0].running_mean, torch.zeros(1, dtype=torch.float64)) == (mode == "eval")


def test_a_network_without_a_linear_layer_is_named() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(UnsuitableModel, match=r"'boundary_expand' needs a torch.nn.Linear"):
        EXPAND.unlearn(model, SimpleNamespace(), BASE, rng())


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_trial_counts_its_samples_and_repeats(digits: Prepared, epochs: int) -> None:
    first, second = (run_trial(digits, "boundary_expand", {"epochs": epochs}, seed=1) for _ in range(2))
    count = len(digits.splits["forget_train"])
    assert first.cost.samples_forward == first.cost.samples_backward == epochs * count
    assert torch.equal(weights(first.model), weights(second.model))


def test_a_trial_that_is_measured_between_its_steps_gives_the_same_weights(digits: Prepared) -> None:
    params = {"epochs": 2}
    quiet = run_trial(digits, "boundary_expand", params)
    watched = run_trial(digits, "boundary_expand", params, observe=lambda share, measure: measure())
    assert watched.state == "complete", watched.error
    assert torch.equal(weights(quiet.model), weights(watched.model))


def test_it_forgets(digits: Prepared) -> None:
    before = run_trial(digits, "original").metrics["gap"]
    result = run_trial(digits, "boundary_expand", {"lr": 1e-3, "epochs": 6})
    assert result.metrics["forget_acc"] < 5
    assert result.metrics["retain_acc"] > 90
    assert result.metrics["gap"] < before / 4
