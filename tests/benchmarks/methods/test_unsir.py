"""UNSIR against a reference in NumPy: noise, impair, repair; its access and its cost."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import Scenario, prepare, run_trial
from benchmarks.access import TrialData
from benchmarks.hyperparameters import build
from benchmarks.methods import methods
from benchmarks.methods.unsir import UnsirParams, sample
from tests.benchmarks import noise_reference as reference
from tests.benchmarks.helpers import data_for, rng, tiny_data, weights

if TYPE_CHECKING:
    from benchmarks.training.recipes import Recipe
    from benchmarks.trial.prepared import Prepared


UNSIR = methods.get("unsir")
BASE = UnsirParams(
    noise_lr=0.2,
    noise_steps=12,
    noise_penalty=0.3,
    noise_images=4,
    noise_copies=3,
    images_per_class=2,
    lr=0.02,
    epochs=1,
    batch_size=7,
    repair_lr=0.01,
    repair_epochs=1,
    repair_batch_size=5,
)
VARIANTS = {
    "default": {},
    "noise_lr": {"noise_lr": 0.1},
    "noise_steps": {"noise_steps": 13},
    "noise_penalty": {"noise_penalty": 0.1},
    "noise_images": {"noise_images": 3},
    "noise_copies": {"noise_copies": 2},
    "images_per_class": {"images_per_class": 3},
    "all_images": {"images_per_class": 1000},
    "lr": {"lr": 0.01},
    "epochs": {"epochs": 2},
    "batch_size": {"batch_size": 100},
    "repair_lr": {"repair_lr": 0.02},
    "no_repair": {"repair_epochs": 0},
    "repair_epochs": {"repair_epochs": 2},
    "repair_batch_size": {"repair_batch_size": 100},
    "used": {"noise_used": 2},
    "leaked": {"leaked_gradients": True},
    "leaked_used": {"leaked_gradients": True, "noise_used": 2},
    "first": {"sampling": "first"},
    "labelled_0": {"noise_label": "0"},
}


def problem(
    forget_labels: tuple[int, ...] = (3,), task: str = "full_class"
) -> tuple[TrialData, np.ndarray, np.ndarray, list[int]]:
    draw = np.random.default_rng(0)
    labels = np.arange(30) % reference.CLASSES
    images = draw.normal(size=(30, *reference.SHAPE))
    forget = [i for i in range(30) if labels[i] in forget_labels and (task == "full_class" or i < 15)]
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    return tiny_data(UNSIR, x, y, forget, num_classes=reference.CLASSES, task=task), images, labels, forget


def expected(
    model: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    forget: list[int],
    forget_labels: tuple[int, ...],
    params: UnsirParams,
) -> np.ndarray:
    """All weights after the three phases."""
    generator, pixels = rng(), images.reshape(len(images), -1)
    start = reference.weights_of(model)
    drawn = reference.normal(len(forget_labels), params.noise_images, generator)
    leak = reference.nothing(start) if params.leaked_gradients else None
    made = [
        reference.noise_of_class(
            start,
            pixels_of_class,
            label,
            maximise=True,
            norm="squared",
            penalty=params.noise_penalty,
            steps=params.noise_steps,
            lr=params.noise_lr,
            halve_lr=False,
            leak=leak,
        )[0][: params.noise_used]
        for pixels_of_class, label in zip(drawn, forget_labels, strict=True)
    ]
    noise = np.tile(np.concatenate(made), (params.noise_copies, 1))
    noise_labels = np.tile(np.repeat(forget_labels, len(made[0])), params.noise_copies)
    if params.noise_label == "0":
        noise_labels = 0 * noise_labels
    order = np.array([i for i in range(len(images)) if i not in forget])
    if params.sampling == "random":
        order = order[torch.randperm(len(order), generator=generator).numpy()]
    chosen = np.concatenate([order[labels[order] == c][: params.images_per_class] for c in range(5)])
    x = np.concatenate([noise, pixels[chosen]])
    y = np.concatenate([noise_labels, labels[chosen]])

    def batches(
        x: np.ndarray, y: np.ndarray, epochs: int, size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _ in range(epochs):
            for part in reference.shuffled(len(y), size, generator):
                yield x[part], y[part]

    impaired = reference.trained(start, batches(x, y, params.epochs, params.batch_size), params.lr, leak)
    repair = batches(pixels[chosen], labels[chosen], params.repair_epochs, params.repair_batch_size)
    return np.concatenate([w.ravel() for w in reference.trained(impaired, repair, params.repair_lr)])


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("forget_labels", [(3,), (1, 4)])
def test_the_weights_are_those_of_the_three_phases(
    changes: dict[str, bool | float | str], forget_labels: tuple[int, ...]
) -> None:
    params = replace(BASE, **changes)
    data, images, labels, forget = problem(forget_labels)
    model = reference.network()
    wanted = expected(model, images, labels, forget, forget_labels, params)
    assert np.allclose(weights(UNSIR.unlearn(model, data, params, rng())), wanted, rtol=1e-6, atol=1e-9)


def test_as_coded_it_is_the_published_loop() -> None:
    """The behaviour of the code of SSD and JiT: nothing resets the network's gradients or its mode."""
    data, images, labels, _ = problem()
    preset = UNSIR.preset("ssd_as_coded").values
    params = build(UnsirParams, {**preset, "noise_images": 6, "noise_copies": 2, "images_per_class": 4})
    model = nn.Sequential(nn.BatchNorm2d(2), reference.network()).double().eval()
    ours = UNSIR.unlearn(copy.deepcopy(model), data, params, rng())

    generator = rng()
    noise = nn.Parameter(torch.randn((1, 6, *reference.SHAPE), generator=generator)[0].double())
    model.train()
    on_noise = torch.optim.Adam([noise], lr=0.1)
    for _ in range(25):
        loss = -F.cross_entropy(model(noise), torch.full((6,), 3))
        loss = loss + 0.1 * noise.square().sum(dim=(1, 2, 3)).mean()
        on_noise.zero_grad()
        loss.backward()
        on_noise.step()
    assert all(p.grad.abs().max() > 0 for p in model.parameters())
    others = [[i for i in range(30) if labels[i] == c] for c in range(5) if c != 3]
    retain = [i for positions in others for i in positions[:4]]
    real, of_real = torch.from_numpy(images[retain]), torch.from_numpy(labels[retain])
    x = torch.cat([*[noise.detach()[:3]] * 2, real])
    y = torch.cat([torch.full((6,), 3), of_real])
    for xs, ys, size in ((x, y, 32), (real, of_real, 128)):
        on_weights = torch.optim.Adam(model.parameters(), lr=1e-4)
        for part in torch.randperm(len(xs), generator=generator).split(size):
            F.cross_entropy(model(xs[part]), ys[part]).backward()
            on_weights.step()
            on_weights.zero_grad()
    for (name, theirs), value in zip(model.state_dict().items(), ours.state_dict().values(), strict=True):
        assert torch.allclose(value, theirs, rtol=1e-9, atol=1e-12), name


def test_a_superclass_keeps_its_other_members_in_the_sample() -> None:
    data, images, labels, forget = problem((3,), "sub_class")
    assert 0 < len(forget) < (labels == 3).sum()
    model = reference.network()
    wanted = expected(model, images, labels, forget, (3,), BASE)
    assert np.allclose(weights(UNSIR.unlearn(model, data, BASE, rng())), wanted, rtol=1e-6, atol=1e-9)


def test_every_variant_gives_other_weights() -> None:
    data, *_ = problem()
    result = {
        weights(UNSIR.unlearn(reference.network(), data, replace(BASE, **changes), rng())).numpy().tobytes()
        for changes in VARIANTS.values()
    }
    assert len(result) == len(VARIANTS)


class Forbidden:
    """A set of images that must not be read."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"it reads {name} of the forget images")

    def __len__(self) -> int:
        raise AssertionError("it counts the forget images")


def test_the_forget_images_are_never_read(digits: Prepared) -> None:
    data = replace(data_for(digits, UNSIR), _forget=Forbidden())
    UNSIR.unlearn(copy.deepcopy(digits.original), data, UnsirParams(noise_steps=2, noise_copies=1), rng())


def test_the_sample_is_drawn_at_random_with_at_most_so_many_of_a_label(digits: Prepared) -> None:
    retain = digits.splits["retain_train"]
    first, same, other = (sample(retain, 10, 20, rng(seed)) for seed in (0, 0, 1))
    assert torch.bincount(first.labels, minlength=10).tolist() == [20] * 8 + [0, 20]
    assert len(first.index.unique()) == len(first)
    assert torch.isin(first.index, retain.index).all()
    assert torch.equal(first.index, same.index)
    assert not torch.equal(first.index, other.index)
    everything = sample(retain, 10, 1000, rng())
    assert torch.equal(everything.index.sort().values, retain.index)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_noise_is_made_in_its_mode_and_learned_from_in_train_mode(mode: str) -> None:
    data, *_ = problem()
    modes = []
    model = nn.Sequential(nn.BatchNorm2d(2), reference.network()).double().eval()
    model.register_forward_hook(lambda m, *_: modes.append(m.training))
    model = UNSIR.unlearn(model, data, replace(BASE, noise_mode=mode), rng())
    noise_steps, all_steps = BASE.noise_steps, len(modes)
    assert modes == [mode == "train"] * noise_steps + [True] * (all_steps - noise_steps)
    assert len(modes) > BASE.noise_steps + 2
    assert not model.training


@pytest.mark.parametrize(("epochs", "repair_epochs"), [(1, 1), (2, 0), (2, 3)])
def test_every_step_on_the_network_is_reported(epochs: int, repair_epochs: int) -> None:
    data, *_ = problem()
    shares = []
    data = replace(data, _observe=lambda _, share: shares.append(share))
    params = replace(BASE, epochs=epochs, repair_epochs=repair_epochs)
    UNSIR.unlearn(reference.network(), data, params, rng())
    steps = epochs * 3 + repair_epochs * 2  # 3 x 4 noise images and 8 sampled images
    assert shares == pytest.approx([(i + 1) / steps for i in range(steps)])


@pytest.mark.parametrize(("epochs", "repair_epochs"), [(1, 1), (2, 3)])
def test_a_trial_counts_its_samples_and_repeats(digits: Prepared, epochs: int, repair_epochs: int) -> None:
    params = {
        "noise_steps": 5,
        "noise_images": 6,
        "noise_used": 4,
        "noise_copies": 7,
        "images_per_class": 20,
        "epochs": epochs,
        "repair_epochs": repair_epochs,
    }
    first, second = (run_trial(digits, "unsir", params, seed=1) for _ in range(2))
    cost = 5 * 6 + epochs * (7 * 4 + 9 * 20) + repair_epochs * 9 * 20
    assert first.cost.samples_forward == first.cost.samples_backward == cost
    assert torch.equal(weights(first.model), weights(second.model))


GOOD = {"lr": 0.01, "noise_steps": 100, "noise_lr": 0.5}


@pytest.mark.parametrize("forget", ["8", "3+8"])
def test_it_forgets_and_keeps_the_others(short: Recipe, forget: str) -> None:
    prepared = prepare(Scenario("digits", "cnn2", "full_class", forget), recipe=short)
    result = run_trial(prepared, "unsir", GOOD, seed=1)
    assert result.metrics["forget_acc"] < 20
    assert result.metrics["retain_acc"] > 85
