"""JiT against its equation, sample by sample in NumPy for a linear model.

For f(x) = Wx + b and r = |f(x) - f(x')| / |x - x'| the gradient needs no automatic differentiation: with
u = (f(x) - f(x')) / |f(x) - f(x')| it is u x^T / |x - x'| for W and u / |x - x'| for b when f(x') is
held constant, and u (x - x')^T / |x - x'| and 0 when it is not.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import images as image_sets
from benchmarks import run_trial
from benchmarks.hyperparameters import build
from benchmarks.methods import methods
from benchmarks.methods.jit import JitParams, sensitivity
from tests.benchmarks.helpers import data_for, rng, weights

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared

Problem = tuple[np.ndarray, np.ndarray, np.ndarray]


JIT = methods.get("jit")
CLASSES, SHAPE, IMAGES = 4, (1, 3, 3), 7
BASE = JitParams(lr=0.05, sigma=0.6, n_samples=5, batch_size=3)


class Noise:
    """A replacement for torch.randn that returns recorded noise, copy by copy, for passes of any size."""

    def __init__(self) -> None:
        self.draw = np.random.default_rng(1)
        self.calls = []

    def __call__(
        self, shape: tuple[int, ...], generator: torch.Generator, device: torch.device
    ) -> torch.Tensor:
        self.calls.append(shape[0])
        return torch.stack([torch.from_numpy(self.draw.normal(size=shape[1:])) for _ in range(shape[0])])


def reference(
    w: np.ndarray, b: np.ndarray, images: np.ndarray, params: JitParams
) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Losses of all steps, and W and b after them."""
    draw = np.random.default_rng(1)
    size = np.prod(SHAPE)
    grad_w, grad_b, losses = np.zeros_like(w), np.zeros_like(b), []
    w, b = w.copy(), b.copy()
    for _ in range(params.epochs):
        for start in range(0, len(images), params.batch_size):
            batch = images[start : start + params.batch_size]
            noises = [params.sigma * draw.normal(size=batch.shape) for _ in range(params.n_samples)]
            if not params.accumulate:
                grad_w, grad_b = np.zeros_like(w), np.zeros_like(b)
            loss = 0.0
            for i in range(len(batch)):
                x = batch[i].reshape(size)
                for noise in noises:
                    xi = noise[i].reshape(size)
                    other = x + xi
                    if params.rescale_noised:
                        other = other / np.sqrt(1 + params.sigma**2)
                    other = np.minimum(np.maximum(other, batch.min()), batch.max())
                    change = w @ x - w @ other
                    top = np.sqrt((change**2).sum())
                    applied = xi if params.denominator == "injected" else other - x
                    bottom = np.sqrt((applied**2).sum())
                    share = 1 / params.n_samples
                    if params.reduction == "mean":
                        share /= len(batch)
                    if params.norm == "l2":
                        loss += share * top / bottom
                        outer = share * change / top / bottom
                    else:
                        loss += share * top**2 / bottom**2
                        outer = share * 2 * change / bottom**2
                    grad_w += np.outer(outer, x if params.stop_gradient else x - other)
                    grad_b += outer if params.stop_gradient else 0
            losses.append(loss)
            if params.grad_clip is not None:
                norm = np.sqrt((grad_w**2).sum() + (grad_b**2).sum())
                factor = min(1, params.grad_clip / (norm + 1e-6))
                grad_w, grad_b = grad_w * factor, grad_b * factor
            w -= params.lr * grad_w
            b -= params.lr * grad_b
    return losses, w, b


@pytest.fixture
def problem() -> Problem:
    draw = np.random.default_rng(0)
    images = draw.uniform(-1, 1, (IMAGES, *SHAPE))
    return draw.normal(size=(CLASSES, int(np.prod(SHAPE)))), draw.normal(size=CLASSES), images


def linear(w: np.ndarray, b: np.ndarray) -> nn.Module:
    layer = nn.Linear(w.shape[1], w.shape[0], dtype=torch.float64)
    layer.weight.data, layer.bias.data = torch.from_numpy(w.copy()), torch.from_numpy(b.copy())
    return nn.Sequential(nn.Flatten(), layer)


class Forget:
    """Forget images without labels, in batches."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(images)

    def batches(self, size: int) -> Iterator[tuple[torch.Tensor, None]]:
        return ((x, None) for x in self.images.split(size))


def unlearn(problem: Problem, params: JitParams) -> tuple[np.ndarray, np.ndarray]:
    w, b, images = problem
    data = SimpleNamespace(forget=Forget(images))
    model = JIT.unlearn(linear(w, b), data, params, rng())
    return model[1].weight.detach().numpy(), model[1].bias.detach().numpy()


VARIANTS = {
    "default": {},
    "squared": {"norm": "squared"},
    "mean": {"reduction": "mean"},
    "injected": {"denominator": "injected"},
    "through": {"stop_gradient": False},
    "accumulate": {"accumulate": True},
    "rescaled": {"rescale_noised": True},
    "rescaled_injected": {"rescale_noised": True, "denominator": "injected"},
    "clipped": {"grad_clip": 0.3},
    "clipped_accumulate": {"grad_clip": 0.3, "accumulate": True},
    "not_clipped": {"grad_clip": 1e6},
    "epochs": {"epochs": 3},
    "as_coded": {"mode": "train", "accumulate": True},
    "one_batch": {"batch_size": 100},
    "large_noise": {"sigma": 5.0},
}


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> Noise:
    made = Noise()
    monkeypatch.setattr(torch, "randn", made)
    return made


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_the_equation(
    problem: Problem, noise: Noise, changes: dict[str, bool | float | str]
) -> None:
    params = replace(BASE, **changes)
    w, b = unlearn(problem, params)
    _, expected_w, expected_b = reference(*problem, params)
    assert np.allclose(w, expected_w, rtol=1e-6, atol=0)
    assert np.allclose(b, expected_b, rtol=1e-6, atol=0)


def test_every_variant_but_three_gives_other_weights(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option without effect would not be noticed by the comparison above."""
    variants = {}
    for name, changes in VARIANTS.items():
        monkeypatch.setattr(torch, "randn", Noise())
        variants[name] = unlearn(problem, replace(BASE, **changes))[0].tobytes()
    assert variants["not_clipped"] == variants["default"]
    assert variants["as_coded"] == variants["accumulate"]  # a linear model has no dropout
    assert len(set(variants.values())) == len(VARIANTS) - 2


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_loss_is_that_of_the_equation(
    problem: Problem, noise: Noise, changes: dict[str, bool | float | str]
) -> None:
    w, b, images = problem
    params = replace(BASE, **changes)
    loss = sensitivity(linear(w, b), torch.from_numpy(images[: params.batch_size]), params, rng())
    assert loss.item() == pytest.approx(reference(w, b, images, params)[0][0], rel=1e-9)


@pytest.mark.parametrize(("fits", "calls"), [(1, [1] * 5), (6, [2, 2, 1]), (9, [3, 2]), (1000, [5])])
def test_copies_in_several_passes_give_the_result_of_a_single_pass(
    problem: Problem, noise: Noise, monkeypatch: pytest.MonkeyPatch, fits: int, calls: list[int]
) -> None:
    monkeypatch.setattr(image_sets, "per_pass", lambda shape, device: fits)
    w, b = unlearn(problem, replace(BASE, batch_size=3))
    assert noise.calls[: len(calls)] == calls
    _, expected_w, expected_b = reference(*problem, BASE)
    assert np.allclose(w, expected_w, rtol=1e-6)
    assert np.allclose(b, expected_b, rtol=1e-6)


@pytest.mark.parametrize(("mode", "training"), [("eval", False), ("train", True)])
def test_the_mode_holds_for_both_passes_and_the_result_is_in_eval_mode(
    problem: Problem, mode: str, training: bool
) -> None:
    modes = []

    class Spy(nn.Flatten):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            modes.append(self.training)
            return super().forward(x)

    w, b, images = problem
    model = linear(w, b)
    model[0] = Spy()
    model = JIT.unlearn(model, SimpleNamespace(forget=Forget(images)), replace(BASE, mode=mode), rng())
    assert set(modes) == {training}
    assert len(modes) >= 2 * 3
    assert not model.training


def test_dropout_is_drawn_for_every_copy_in_train_mode_only(problem: Problem) -> None:
    w, b, images = problem
    x = torch.from_numpy(images)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), linear(w, b)[1])
    quiet = sensitivity(model.eval(), x, replace(BASE, sigma=1e-6), rng())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        loud = sensitivity(model.train(), x, replace(BASE, sigma=1e-6), rng())
    assert loud > 1e3 * quiet


def test_as_coded_gradients_pile_up_and_only_vgg_draws_dropout() -> None:
    coded = {p.name: p for p in JIT.presets if p.name.endswith("_as_coded")}
    assert len(coded) == 6
    for name, preset in coded.items():
        params = build(JitParams, preset.values)
        assert params.accumulate
        assert params.mode == ("train" if preset.model == "vgg11" else "eval")
        published = build(JitParams, JIT.preset(name.removesuffix("_as_coded")).values)
        differ = {k for k in asdict(params) if getattr(params, k) != getattr(published, k)}
        assert differ - {"accumulate", "mode"} == ({"lr"} if name == "vit_b16_random_as_coded" else set())
    assert coded["vit_b16_random_as_coded"].values["lr"] == 0.1


def test_labels_are_not_used_and_images_come_in_stored_order(digits: Prepared) -> None:
    params = JitParams(lr=1e-3, n_samples=5)

    def run(change: Callable[..., object]) -> torch.Tensor:
        data = data_for(digits, JIT)
        data = replace(data, _forget=change(data._forget))
        return weights(JIT.unlearn(copy.deepcopy(digits.original), data, params, rng()))

    same = run(lambda forget: forget)
    assert torch.equal(same, run(lambda forget: forget.relabelled((forget.labels + 1) % 10)))
    reverse = run(lambda forget: forget.subset(torch.arange(len(forget)).flip(0)))
    assert not torch.equal(same, reverse)


def test_a_trial_counts_its_samples_changes_the_copy_only_and_repeats(digits: Prepared) -> None:
    before = weights(digits.original).clone()
    first, second = (run_trial(digits, "jit", {"n_samples": 7, "batch_size": 50}, seed=3) for _ in range(2))
    other = run_trial(digits, "jit", {"n_samples": 7, "batch_size": 50}, seed=4)
    count = len(digits.splits["forget_train"])
    assert first.cost.samples_forward == 8 * count
    assert first.cost.samples_backward == count
    assert torch.equal(weights(digits.original), before)
    assert not torch.equal(weights(first.model), before)
    assert torch.equal(weights(first.model), weights(second.model))
    assert not torch.equal(weights(first.model), weights(other.model))


def test_gradient_through_the_copies_is_counted(digits: Prepared) -> None:
    result = run_trial(digits, "jit", {"n_samples": 7, "stop_gradient": False, "epochs": 2})
    count = len(digits.splits["forget_train"])
    assert result.cost.samples_forward == result.cost.samples_backward == 2 * 8 * count
