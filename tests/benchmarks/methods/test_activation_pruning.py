"""Activation pruning: the units that masks switch off, compared with NumPy, and the masks as buffers."""

from __future__ import annotations

import copy
import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import Scenario, prepare, run_trial
from benchmarks.errors import UnsuitableModel
from benchmarks.methods import methods
from benchmarks.methods.activation_pruning import ActivationPruningParams
from benchmarks.toolbox.masks import MaskedReLU
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.adam import Adam
from tests.benchmarks.methods.numpy_network import CLASSES, SHAPE, Network, images, watch

if TYPE_CHECKING:
    from benchmarks.training.recipes import Recipe
    from benchmarks.trial.prepared import Prepared


PRUNING = methods.get("activation_pruning")
BASE = ActivationPruningParams(
    prune_first=0.2, prune_last=0.3, prune_rounds=1, lr=0.01, epochs=1, batch_size=21
)
FORGET = [1, 5, 9, 13, 17]
X, Y = images(21)
RETAIN = [i for i in range(len(X)) if i not in FORGET]


def convolutions(seed: int = 0) -> nn.Module:
    """1x3x3 images -> 6 maps of 3x3 -> 8 maps of 2x2 -> 10 units -> classes: three ReLUs."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 2), nn.ReLU(inplace=True)]
        layers += [nn.Flatten(), nn.Linear(32, 10), nn.ReLU(), nn.Linear(10, CLASSES)]
        return nn.Sequential(*layers).double().eval()


def unlearn(
    params: ActivationPruningParams,
    model: nn.Module | None = None,
    x: torch.Tensor = X,
    forget: list[int] = FORGET,
    y: torch.Tensor = Y,
) -> nn.Module:
    model = convolutions() if model is None else model
    return PRUNING.unlearn(model, tiny_data(PRUNING, x, y, forget, num_classes=CLASSES), params, rng())


def masks(model: nn.Module) -> list[np.ndarray]:
    return [layer.mask.numpy() for layer in model.modules() if isinstance(layer, MaskedReLU)]


def outputs(model: nn.Module, x: torch.Tensor, kept: Kept) -> None:
    """Means over x of the output of each of the three ReLUs, with each mask applied before the next layer."""
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    x, means = x.numpy(), []

    def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        size = weight.shape[-1]
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
        return np.einsum("bchwij,ocij->bohw", windows, weight) + bias[:, None, None]

    def relu(z: np.ndarray, number: int) -> np.ndarray:
        a = np.maximum(z, 0)
        means.append(a.mean(axis=0))
        kept(number, means[-1])
        return a * kept.masks[number]

    a = relu(convolve(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), w["0.weight"], w["0.bias"]), 0)
    a = relu(convolve(a, w["2.weight"], w["2.bias"]), 1)
    relu(a.reshape(len(a), -1) @ w["5.weight"].T + w["5.bias"], 2)


class Kept:
    """Masks from which every call removes the values of a mean above a quantile."""

    def __init__(self, shares: list[float], whole: bool) -> None:
        self.shares, self.whole, self.masks = shares, whole, {}

    def __call__(self, number: int, mean: np.ndarray) -> None:
        values = np.sort(mean.reshape(1, -1) if self.whole else mean.reshape(len(mean), -1).T, axis=1)
        rank = (1 - self.shares[number]) * (values.shape[1] - 1)
        low, part = int(rank), rank - int(rank)
        above = values[:, min(low + 1, values.shape[1] - 1)]
        limit = values[:, low] + part * (above - values[:, low])
        limit = limit[0] if self.whole else limit.reshape(mean.shape[1:])
        self.masks[number] = self.masks.get(number, True) & (mean <= limit)


@pytest.mark.parametrize("batch_size", [21, 5, 2])
@pytest.mark.parametrize("quantile", ["channels", "map"])
def test_the_masks_lose_what_is_strongest_in_each_batch_of_forget_images(
    quantile: str, batch_size: int
) -> None:
    model = convolutions()
    start = copy.deepcopy(model)
    params = replace(BASE, quantile=quantile, batch_size=batch_size, prune_third=0.15)
    result = masks(unlearn(params, model))
    kept = Kept([0.2, 0.15, 0.3], whole=quantile == "map")
    order = torch.randperm(len(FORGET), generator=rng())
    for positions in order.split(batch_size):
        outputs(start, X[FORGET][positions], kept)
    assert [m.shape for m in result] == [(6, 3, 3), (8, 2, 2), (10,)]
    for number, mask in enumerate(result):
        assert np.array_equal(mask, kept.masks[number])
        assert 0 < mask.sum() < mask.size


def test_only_over_channels_is_the_same_number_pruned_at_every_position() -> None:
    by_channel, by_map = (masks(unlearn(replace(BASE, quantile=q))) for q in ("channels", "map"))
    gone = (~by_channel[1]).sum(axis=0)
    assert gone.tolist() == [[2, 2], [2, 2]]  # of 8: those above the .75-quantile
    assert len(set((~by_map[0]).sum(axis=0).ravel().tolist())) > 1
    assert np.array_equal(by_channel[2], by_map[2])  # without a map there is no difference


def test_a_second_round_prunes_what_the_changed_network_answers_with_most() -> None:
    one_round, two_rounds = (masks(unlearn(replace(BASE, prune_rounds=n, lr=0.1))) for n in (1, 2))
    assert all((b <= a).all() for a, b in zip(one_round, two_rounds, strict=True))
    assert any((b < a).any() for a, b in zip(one_round, two_rounds, strict=True))


def test_shares_lie_on_a_line_unless_they_are_given() -> None:
    params = ActivationPruningParams(prune_first=0.02, prune_last=0.1)
    assert params.shares == pytest.approx((0.02, 0.04, 0.06, 0.08, 0.1))
    params = replace(params, prune_second=0.5, prune_fourth=0.0)
    assert params.shares == pytest.approx((0.02, 0.5, 0.06, 0.0, 0.1))
    published = ActivationPruningParams(**PRUNING.preset("akbari").values)
    assert published.shares == pytest.approx((0.01, 0.025, 0.05, 0.075, 0.1))


@pytest.mark.parametrize(
    ("relus", "depths"),
    [
        (1, [0]),
        (2, [0, 4]),
        (3, [0, 2, 4]),
        (5, [0, 1, 2, 3, 4]),
        (9, [0, 1, 1, 2, 2, 3, 3, 4, 4]),  # ResNet18 with a ReLU per block
        (17, [0] + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4),  # and with two
    ],
)
def test_five_depths_are_spread_over_any_number_of_relus(relus: int, depths: list[int]) -> None:
    layers = [nn.Flatten(), nn.Linear(9, 100), nn.ReLU()]
    for _ in range(relus - 1):
        layers += [nn.Linear(100, 100, bias=False), nn.ReLU()]
        nn.init.eye_(layers[-2].weight)
    nn.init.normal_(layers[1].weight, std=0.01, generator=rng())
    layers[1].bias.data = torch.linspace(1, 2, 100)  # all units are active, with different values
    params = ActivationPruningParams(0.01, 0.05, prune_second=0.02, prune_third=0.03, prune_fourth=0.04)
    model = nn.Sequential(*layers, nn.Linear(100, CLASSES)).double()
    result = masks(unlearn(replace(params, prune_rounds=1, epochs=1), model))
    assert [(~mask).sum() for mask in result] == [depth + 1 for depth in depths]  # percent of 100 units


class Beside(nn.Module):
    """A network with a ReLU whose output is not used."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.relu = inner, nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.relu(x)
        return self.inner(x)


def test_the_fine_tuning_is_adamw_with_a_single_cosine_over_all_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = replace(BASE, prune_rounds=2, epochs=2, batch_size=5, weight_decay=0.1)
    network = Network()
    model = Beside(network.in_torch())
    seen = watch(monkeypatch, model, X)
    unlearn(params, model)
    steps = params.prune_rounds * params.epochs * 4
    assert len(seen) == steps
    assert all(batch.training for batch in seen)
    adam = Adam(network, params.weight_decay)
    for number, batch in enumerate(seen):
        lr = params.lr * (1 + math.cos(math.pi * number / steps)) / 2
        adam.step(network.gradients(X[batch.positions], Y[batch.positions]), lr)
    assert network.same_as(model)
    positions = [i for batch in seen for i in batch.positions]
    assert all(sorted(positions[i : i + 16]) == RETAIN for i in range(0, 64, 16))


def test_pruning_is_in_eval_mode_and_on_forget_images_alone() -> None:
    seen = []

    class Spy(nn.Flatten):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((self.training, torch.is_grad_enabled(), len(x)))
            return super().forward(x)

    model = nn.Sequential(
        Spy(), nn.Linear(9, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, CLASSES)
    ).double()
    model = unlearn(replace(BASE, prune_rounds=2), model.eval())
    assert seen == [(False, False, 5), (True, True, 16)] * 2
    assert not model.training
    assert model[2].num_batches_tracked == 2


def test_what_is_pruned_stays_zero_for_all_images() -> None:
    model, given = unlearn(BASE), []
    model[6].register_forward_hook(lambda layer, x, y: given.append(y))
    model(10 * torch.rand(50, *SHAPE, dtype=torch.float64))
    assert not given[0][:, ~model[6].mask].any()
    assert given[0][:, model[6].mask].any()


def test_copies_pickles_and_the_state_dict_carry_the_masks() -> None:
    model = unlearn(BASE)
    expected = model(X)
    other = copy.deepcopy(model)
    assert torch.equal(other(X), expected)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(X), expected)
    assert [name for name in model.state_dict() if name.endswith("mask")] == ["1.mask", "3.mask", "6.mask"]
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    other[1].mask.fill_(True)
    assert not torch.equal(other(X), expected)
    assert torch.equal(model(X), expected)


def test_the_model_it_was_copied_from_stays_without_masks_and_a_second_run_starts_anew() -> None:
    original = convolutions()
    first = unlearn(BASE, copy.deepcopy(original))
    second = unlearn(BASE, copy.deepcopy(original))
    assert not masks(original)
    assert all(np.array_equal(a, b) for a, b in zip(masks(first), masks(second), strict=True))
    assert torch.equal(weights(first), weights(second))


class Twice(nn.Module):
    """A ReLU that is used twice, under one name or two."""

    def __init__(self, width: int, names: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(9, 6), nn.Linear(6, width)
        self.last = nn.Linear(width, CLASSES)
        self.relu = nn.ReLU()
        if names == 2:
            self.again = self.relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.first(x.flatten(1)))
        return self.last(getattr(self, "again", self.relu)(self.second(x)))


@pytest.mark.parametrize("names", [1, 2])
def test_a_relu_used_twice_has_a_mask_with_the_outputs_pruned_in_either_use(names: int) -> None:
    model = Twice(6, names).double()
    with torch.no_grad():
        for layer, strongest in ((model.first, 2), (model.second, 4)):
            layer.weight.mul_(0.01)
            layer.bias.fill_(1.0)[strongest] = 3.0
    model = unlearn(replace(BASE, prune_first=0.1), model)
    assert model.relu.mask.tolist() == [True, True, False, True, False, True]
    assert getattr(model, "again", model.relu) is model.relu


def test_uses_of_different_shapes_are_refused() -> None:
    with pytest.raises(UnsuitableModel, match=r"'activation_pruning' .* \(6,\) and \(7,\); declare another"):
        unlearn(BASE, Twice(7, 1).double())


def test_a_network_without_relus_is_refused() -> None:
    with pytest.raises(UnsuitableModel, match=r"'activation_pruning' needs a torch.nn.ReLU"):
        unlearn(BASE, Network().in_torch())


VARIANTS = {
    "base": {},
    "first": {"prune_first": 0.5},
    "last": {"prune_last": 0.6},
    "third": {"prune_third": 0.6},
    "lr": {"lr": 0.1},
    "rounds": {"prune_rounds": 2, "lr": 0.1},
    "epochs": {"epochs": 2, "lr": 0.1},
    "batch": {"batch_size": 4},
    "decay": {"weight_decay": 0.5},
    "map": {"quantile": "map"},
}


def test_every_variant_gives_other_weights() -> None:
    result = {name: tuple(weights(unlearn(replace(BASE, **v))).tolist()) for name, v in VARIANTS.items()}
    assert len(set(result.values())) == len(VARIANTS)


@pytest.mark.parametrize("params", [{"prune_rounds": 1, "epochs": 2}, {"prune_rounds": 3, "epochs": 1}])
def test_a_trial_counts_its_samples_tells_its_steps_and_repeats(
    digits: Prepared, params: dict[str, int]
) -> None:
    shares = []
    first = run_trial(digits, PRUNING, params, observe=lambda share, _: shares.append(share))
    second = run_trial(digits, PRUNING, params)
    forget, retain = (len(digits.splits[f"{part}_train"]) for part in ("forget", "retain"))
    passes = params["prune_rounds"] * params["epochs"] * retain
    assert first.cost.samples_forward == params["prune_rounds"] * forget + passes
    assert first.cost.samples_backward == passes
    assert shares[-1] == 1
    assert torch.equal(weights(first.model), weights(second.model))
    assert all(np.array_equal(a, b) for a, b in zip(masks(first.model), masks(second.model), strict=True))


@pytest.mark.parametrize("forget", ["8", "3+8"])
def test_it_forgets_a_single_class_and_two_classes(short: Recipe, forget: str) -> None:
    prepared = prepare(Scenario("digits", "cnn2", "full_class", forget), recipe=short)
    params = {"prune_first": 0.01, "prune_last": 0.05, "lr": 6e-3, "epochs": 4}
    result = run_trial(prepared, PRUNING, params, seed=1)
    assert result.metrics["forget_acc"] < 30
    assert result.metrics["retain_acc"] > 90
