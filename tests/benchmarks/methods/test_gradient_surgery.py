"""Gradient surgery: the projection, and both phases step by step against a network in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import Scenario, prepare, run_trial
from benchmarks.methods import methods
from benchmarks.methods.gradient_surgery import GradientSurgeryParams, orthogonal
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.adam import Adam
from tests.benchmarks.methods.numpy_network import CLASSES, Batch, Network, images, watch

if TYPE_CHECKING:
    from benchmarks.training.recipes import Recipe
    from benchmarks.trial.prepared import Prepared


SURGERY = methods.get("gradient_surgery")
BASE = GradientSurgeryParams(
    lr=0.2, epochs=2, batch_size=3, repair_lr=0.01, repair_epochs=3, repair_batch_size=6
)
FORGET = [1, 5, 9, 13, 17]
X, Y = images(21)
RETAIN = [i for i in range(len(X)) if i not in FORGET]
VARIANTS = {
    "base": {},
    "lr": {"lr": 0.05},
    "epochs": {"epochs": 1},
    "batch_size": {"batch_size": 5},
    "no_momentum": {"momentum": 0.0},
    "repair_lr": {"repair_lr": 0.03},
    "repair_epochs": {"repair_epochs": 1},
    "repair_batch_size": {"repair_batch_size": 16},
    "constant": {"repair_decay": 1.0},
    "weight_decay": {"weight_decay": 0.1},
    "l1": {"l1": 0.5},
    "no_l1": {"l1": 0.0},
    "conflict": {"projection": "conflict"},
}


def flat(tensors: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(t).ravel() for t in tensors])


def unlearn(
    params: GradientSurgeryParams,
    model: nn.Module | None = None,
    x: torch.Tensor = X,
    y: torch.Tensor = Y,
) -> nn.Module:
    model = Network().in_torch() if model is None else model
    return SURGERY.unlearn(model, tiny_data(SURGERY, x, y, FORGET, num_classes=CLASSES), params, rng())


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_equation(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float | str]
) -> None:
    params = replace(BASE, **changes)
    network = Network()
    model = network.in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(params, model)

    def gradients(batch: Batch) -> list[np.ndarray]:
        return network.gradients(X[batch.positions], Y[batch.positions])

    climbs = params.epochs * -(-len(FORGET) // params.batch_size)
    repairs = -(-len(RETAIN) // params.repair_batch_size)
    assert len(seen) == 2 * climbs + params.repair_epochs * repairs
    velocity, products = 0.0, []
    for forget, retain in zip(seen[: 2 * climbs : 2], seen[1 : 2 * climbs : 2], strict=True):
        assert set(forget.positions) <= set(FORGET)
        assert set(retain.positions) <= set(RETAIN)
        assert len(retain.positions) == len(forget.positions)
        f, r = flat(gradients(forget)), flat(gradients(retain))
        products.append(f @ r)
        if params.projection == "always" or f @ r > 0:
            f = f - (f @ r) / (r @ r) * r
            assert abs(f @ r) < 1e-12 * np.sqrt((f @ f) * (r @ r))
        velocity = params.momentum * velocity + f
        at = 0
        for i, w in enumerate(network.weights):
            network.weights[i] = w + params.lr * velocity[at : at + w.size].reshape(w.shape)
            at += w.size
    if params.projection == "conflict":
        assert min(products) < 0 < max(products)  # so both branches were used
    adam = Adam(network, params.weight_decay)
    for number, batch in enumerate(seen[2 * climbs :]):
        signs = [params.l1 * np.sign(w) / w.size for w in network.weights]
        total = [g + s for g, s in zip(gradients(batch), signs, strict=True)]
        adam.step(total, params.repair_lr * params.repair_decay ** (number // repairs))
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = {name: tuple(weights(unlearn(replace(BASE, **v))).tolist()) for name, v in VARIANTS.items()}
    assert len(set(result.values())) == len(VARIANTS)


def test_the_projection_runs_over_all_tensors_at_once() -> None:
    a = [torch.tensor([[3.0, 1.0]]), torch.tensor([2.0])]
    b = [torch.tensor([[1.0, 0.0]]), torch.tensor([1.0])]
    first, second = orthogonal(a, b)  # 5 / 2 of b is removed
    assert first.tolist() == [[0.5, 1.0]]
    assert second.tolist() == [-0.5]


@pytest.mark.parametrize("projection", ["always", "conflict"])
def test_where_the_retain_gradient_is_zero_nothing_is_projected(projection: str) -> None:
    a = [torch.tensor([3.0, 1.0])]
    assert orthogonal(a, [torch.zeros(2)], projection)[0].tolist() == [3.0, 1.0]


def test_gradients_that_agree_lose_their_common_part_and_others_stay_whole_under_conflict() -> None:
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0])
    assert orthogonal([a], [b], "conflict")[0].tolist() == [1.0, 0.0]
    assert orthogonal([a], [-b], "conflict")[0].tolist() == [1.0, 2.0]
    assert orthogonal([a], [-b], "always")[0].tolist() == [1.0, 0.0]


def test_a_small_step_raises_the_forget_loss_and_leaves_that_of_the_retain_batch() -> None:
    network = Network()
    model = network.in_torch().double()
    f, r = (X[FORGET], Y[FORGET]), (X[RETAIN], Y[RETAIN])

    def loss(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    before = loss(f), loss(r)
    parameters = list(model.parameters())
    up, kept = (torch.autograd.grad(loss(batch), parameters) for batch in (f, r))
    with torch.no_grad():
        for p, g in zip(parameters, orthogonal(up, kept), strict=True):
            p += 1e-4 * g
    raised, moved = loss(f) - before[0], abs(loss(r) - before[1])
    assert raised > 1e-6
    assert moved < 1e-2 * raised


def test_both_phases_are_in_train_mode_and_every_pass_is_shuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Network().in_torch()
    seen = watch(monkeypatch, model, X)
    assert not unlearn(BASE, model).training
    assert all(batch.training for batch in seen)
    forget = [i for batch in seen[:8:2] for i in batch.positions]
    repair = [i for batch in seen[8:] for i in batch.positions]
    for positions, whole in ((forget, FORGET), (repair, RETAIN)):
        n = len(whole)
        passes = [positions[i : i + n] for i in range(0, len(positions), n)]
        assert all(sorted(order) == whole for order in passes)
        assert len({tuple(order) for order in passes}) == len(passes)
    drawn = [i for batch in seen[1:8:2] for i in batch.positions]
    assert len(set(drawn)) > len(drawn) // 2


def test_a_network_with_batch_norm_and_a_weight_out_of_use_is_fine() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(9, 6), nn.BatchNorm1d(6), nn.Linear(6, CLASSES))
            self.idle = nn.Parameter(torch.ones(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x)

    model = unlearn(replace(BASE, l1=0.0, weight_decay=1e-5), Wide().double())
    assert torch.isfinite(weights(model)).all()
    assert torch.allclose(model.idle, torch.ones(3).double(), rtol=1e-5)
    assert model.body[2].num_batches_tracked > 0


@pytest.mark.parametrize("params", [{"epochs": 1}, {"epochs": 2, "batch_size": 50, "repair_epochs": 3}])
def test_a_trial_counts_its_samples_tells_its_steps_and_repeats(
    digits: Prepared, params: dict[str, int]
) -> None:
    shares = []
    first = run_trial(digits, SURGERY, params, observe=lambda share, _: shares.append(share))
    second = run_trial(digits, SURGERY, params)
    values = GradientSurgeryParams(**params)
    forget, retain = (len(digits.splits[f"{part}_train"]) for part in ("forget", "retain"))
    expected = 2 * values.epochs * forget + values.repair_epochs * retain
    assert first.cost.samples_forward == first.cost.samples_backward == expected
    assert shares[-1] == 1
    assert torch.equal(weights(first.model), weights(second.model))


@pytest.mark.parametrize("forget", ["8", "3+8"])
def test_it_forgets_a_single_class_and_two_classes(short: Recipe, forget: str) -> None:
    prepared = prepare(Scenario("digits", "cnn2", "full_class", forget), recipe=short)
    params = {"lr": 0.02, "epochs": 1, "batch_size": 32, "repair_lr": 1e-2, "repair_batch_size": 128}
    result = run_trial(prepared, SURGERY, params, seed=1)
    assert result.metrics["forget_acc"] < 30
    assert result.metrics["retain_acc"] > 90
