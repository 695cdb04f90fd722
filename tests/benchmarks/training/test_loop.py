"""Training: the recipe as published, the best epoch, augmentation, seeds."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.datasets import load
from benchmarks.errors import TrainingError
from benchmarks.evaluation import predict
from benchmarks.images import on_device, pixels_on
from benchmarks.models import models
from benchmarks.training import loop as training
from benchmarks.training.loop import augment, make_optimiser, make_schedule, train
from benchmarks.training.recipes import Recipe
from benchmarks.training.reproducible import seeded


def digits(start, end):
    data, cpu = load("digits"), torch.device("cpu")
    everything = on_device(pixels_on(data.train.x, cpu), data.train.y, data.source.preprocessing, 8, cpu)
    return everything.subset(torch.arange(start, end))


@pytest.fixture
def sets():
    return digits(0, 200), digits(200, 300)


def network(seed=0):
    with seeded(seed):
        return models.get("cnn2").build(10, 1, 8)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("momentum_range", [None, (0.85, 0.95)])
def test_the_learning_rate_is_a_cosine_cycle_and_the_momentum_runs_against_it_or_stays(
    momentum_range: tuple[float, float] | None, sets, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Spy(torch.optim.SGD):
        def step(self, closure=None):
            seen.append(tuple(self.param_groups[0][k] for k in ("lr", "momentum", "weight_decay")))
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "SGD", Spy)
    recipe = Recipe(epochs=3, batch_size=64, max_lr=0.1, momentum_range=momentum_range)
    train(network(), *sets, recipe, rng())
    steps, peak = 12, 0.1

    def cosine(start, end, share):
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    top = 0.3 * steps - 1  # the cycle as Smith describes it: up for 30 %, from 1/25; down to 1/250,000
    expected = [
        cosine(peak / 25, peak, i / top)
        if i <= top
        else cosine(peak, peak / 25 / 1e4, (i - top) / (steps - 1 - top))
        for i in range(steps)
    ]
    assert [lr for lr, _, _ in seen] == pytest.approx(expected, rel=1e-9)
    low, high = momentum_range or (0.9, 0.9)
    against = [
        cosine(high, low, i / top) if i <= top else cosine(low, high, (i - top) / (steps - 1 - top))
        for i in range(steps)
    ]
    assert [momentum for _, momentum, _ in seen] == pytest.approx(against, rel=1e-9)
    assert {decay for _, _, decay in seen} == {5e-4}


def test_the_best_validation_epoch_is_kept_and_later_ones_win_ties(
    sets, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, accuracies = [], iter([50, 80, 80, 70])

    class Answer:
        def __init__(self, percent):
            import numpy as np

            self.correct = np.arange(100) < percent

    def fake(model, images):
        states.append(copy.deepcopy(model.state_dict()))
        return Answer(next(accuracies))

    monkeypatch.setattr("benchmarks.evaluation.predict", fake)
    model, reports = network(), []
    history = train(model, *sets, Recipe(epochs=4), rng(), lambda *args: reports.append(args))
    assert (history.best_epoch, history.validation_acc) == (3, 80)
    assert reports == [(1, 50), (2, 80), (3, 80), (4, 70)]
    assert not model.training
    assert all(torch.equal(v, states[2][k]) for k, v in model.state_dict().items())
    assert any(not torch.equal(v, states[3][k]) for k, v in model.state_dict().items())


def test_a_network_learns_the_digits(sets) -> None:
    model = network()
    train(model, *sets, Recipe(epochs=8), rng())
    assert predict(model, sets[1]).correct.mean() > 0.8


STEPS = Recipe(epochs=8, batch_size=16, max_lr=0.05, milestones=(5, 7), gamma=0.2, warmup=1)
ADAM = Recipe(epochs=8, batch_size=32, max_lr=0.01, optimiser="adam", weight_decay=1e-4, clip=0.1)
HALF = Recipe(epochs=8, precision="bfloat16")
WEIGHED = Recipe(epochs=8, balanced=True)


@pytest.mark.parametrize("recipe", [STEPS, ADAM, HALF, WEIGHED], ids=["steps", "adam", "half", "balanced"])
def test_every_kind_of_recipe_trains(recipe) -> None:
    model, validation = network(), digits(900, 1200)
    train(model, digits(0, 900), validation, recipe, rng())
    assert predict(model, validation).correct.mean() > 0.9
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("warmup", [0, 1, 2])
def test_milestones_are_epochs_that_begin_lower_after_a_linear_rise(steps: int, warmup: int) -> None:
    recipe = Recipe(epochs=7, max_lr=0.1, milestones=(3, 6), gamma=0.5, warmup=warmup)
    optimiser = make_optimiser(network(), recipe)
    schedule = make_schedule(optimiser, recipe, steps)
    seen = []
    for _ in range(7 * steps):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    expected = []
    for epoch in range(1, 8):
        fallen = 0.1 * 0.5 ** ((epoch >= 3) + (epoch >= 6))
        for step in range(1, steps + 1):
            done = (epoch - 1) * steps + step
            expected.append(fallen * min(1, done / (warmup * steps)) if warmup else fallen)
    assert seen == pytest.approx(expected, rel=1e-9)


def single_step(sets, recipe):
    """Each parameter before the only step of a training, its gradient, and the parameter after it."""
    images, validation = sets
    model = network()
    start = copy.deepcopy(model)
    train(model, images, validation, replace(recipe, epochs=1, batch_size=200, milestones=(2,)), rng())
    x, y = next(images.batches(200, rng()))
    nn.functional.cross_entropy(start(x), y).backward()
    return [(p.detach(), p.grad, q) for p, q in zip(start.parameters(), model.parameters(), strict=True)]


def test_a_step_is_sgd_with_momentum_and_decay(sets) -> None:
    for p, g, trained in single_step(sets, Recipe(1, max_lr=0.1)):
        assert torch.allclose(trained, p - 0.1 * (g + 5e-4 * p), rtol=0, atol=1e-7)


def test_gradient_values_are_held(sets) -> None:
    steps = single_step(sets, Recipe(1, max_lr=0.1, clip=1e-3))
    assert max(g.abs().max() for _, g, _ in steps) > 2e-3
    for p, g, trained in steps:
        assert torch.allclose(trained, p - 0.1 * (g.clamp(-1e-3, 1e-3) + 5e-4 * p), rtol=0, atol=1e-7)


def test_a_step_of_adam_decays_weights_through_the_gradient(sets) -> None:
    for p, g, trained in single_step(sets, Recipe(1, optimiser="adam", max_lr=0.01, weight_decay=0.1)):
        g = g + 0.1 * p
        expected = p - 0.01 * g / (g.abs() + 1e-8)  # Adam's first step is the sign of what it sees
        assert torch.allclose(trained, expected, rtol=0, atol=1e-4)


def test_the_first_moment_of_adam_decays_as_given() -> None:
    assert make_optimiser(network(), replace(ADAM, momentum=0.7)).param_groups[0]["betas"] == (0.7, 0.999)


def test_classes_weigh_by_the_inverse_of_their_number(sets) -> None:
    images, validation = sets
    few = images.subset((images.labels < 3).nonzero()[:, 0])
    few = few.subset(torch.cat([(few.labels > 0).nonzero()[:, 0], (few.labels == 0).nonzero()[:5, 0]]))
    model = network()
    start = copy.deepcopy(model)
    recipe = Recipe(1, batch_size=200, weight_decay=0, balanced=True, milestones=(2,))
    train(model, few, validation, recipe, rng())
    x, y = next(few.batches(200))
    losses = nn.functional.cross_entropy(start(x), y, reduction="none")
    torch.stack([losses[y == c].mean() for c in range(3)]).mean().backward()
    for p, trained in zip(start.parameters(), model.parameters(), strict=True):
        assert torch.allclose(trained, p - 0.1 * p.grad, rtol=0, atol=1e-6)


def test_half_precision_is_for_forward_passes_in_training_and_restored_after(sets) -> None:
    seen = []

    def spy(recipe):
        model = network()
        model[0].register_forward_hook(
            lambda layer, inputs, output: seen.append((layer.training, output.dtype))
        )
        train(model, *sets, replace(recipe, epochs=1), rng())
        kinds = set(seen)
        seen.clear()
        return kinds

    full, half = torch.float32, torch.bfloat16
    assert spy(Recipe(1)) == {(True, full), (False, full)}
    assert spy(HALF) == {(True, half), (False, full)}
    with torch.autocast("cpu", torch.bfloat16):
        assert spy(Recipe(1)) == {(True, half), (False, half)}


def test_a_diverged_training_is_reported(sets) -> None:
    with pytest.raises(TrainingError, match=r"diverged in epoch 1: .* lower peak learning rate than 1e\+20"):
        train(network(), *sets, Recipe(epochs=2, max_lr=1e20), rng())


def test_a_seed_repeats_exactly(sets) -> None:
    def weights(seed):
        model = network()
        train(model, *sets, Recipe(epochs=2, augmentation="crop_flip_rotate"), rng(seed))
        return torch.cat([p.flatten() for p in model.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_seeded_puts_the_global_state_back() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(1):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(1):
        assert torch.equal(torch.rand(3), first)


class Draws:
    """Stands in for torch.rand: hands out the shifts, mirrors and angles that a test wants."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, n, generator, device):
        return torch.full((n,), self.values.pop(0))


def share(shift, reach):
    """The uniform number that stands for a shift in whole pixels."""
    return (shift + reach + 0.5) / (2 * reach + 1)


@pytest.fixture
def pixels():
    return torch.randint(1, 256, (2, 3, 32, 32), generator=rng()).to(torch.uint8)


def test_no_augmentation_hands_the_bytes_on(pixels) -> None:
    assert augment(pixels, "none", rng()) is pixels


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (4, 0), (-4, 2), (3, -1)])
def test_shifts_are_whole_pixels_and_black_comes_in(
    pixels, monkeypatch: pytest.MonkeyPatch, dx: int, dy: int
) -> None:
    monkeypatch.setattr(torch, "rand", Draws(share(dx, 4), share(dy, 4)))
    got = augment(pixels, "crop", rng())
    padded = nn.functional.pad(pixels.float(), (4, 4, 4, 4))
    expected = padded[:, :, 4 + dy : 36 + dy, 4 + dx : 36 + dx]
    assert torch.allclose(got, expected, atol=0.02)


def test_mirroring_is_exact(pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", Draws(share(0, 4), share(0, 4), 0.1, 0.5))
    assert torch.allclose(augment(pixels, "crop_flip_rotate", rng()), pixels.float().flip(3), atol=0.02)


@pytest.mark.parametrize("mirror", [0.1, 0.9])
def test_rotation_turns_by_up_to_15_degrees_and_does_not_shear(
    monkeypatch: pytest.MonkeyPatch, mirror: float
) -> None:
    canvas = torch.zeros(1, 1, 33, 33)
    canvas[0, 0, 16, 28] = 255  # 12 pixels right of the centre
    monkeypatch.setattr(torch, "rand", Draws(share(0, 4), share(0, 4), mirror, 1.0))
    got = augment(canvas.to(torch.uint8), "crop_flip_rotate", rng())[0, 0]
    y, x = torch.meshgrid(torch.arange(33.0) - 16, torch.arange(33.0) - 16, indexing="ij")
    where = torch.stack([(got * x).sum(), (got * y).sum()]) / got.sum()
    assert where.norm().item() == pytest.approx(12, abs=0.3)
    angle = math.degrees(math.atan2(abs(where[1]), abs(where[0])))
    assert angle == pytest.approx(15, abs=1.5)


def test_all_shifts_are_drawn_equally_often() -> None:
    canvas = torch.zeros(4000, 1, 32, 32, dtype=torch.uint8)
    canvas[:, :, 16, 16] = 255
    got = augment(canvas, "crop", rng())
    where = got.flatten(1).argmax(1)
    for positions in (where % 32, where // 32):
        counts = torch.bincount(positions - 12, minlength=9)
        assert len(counts) == 9
        assert ((counts - 4000 / 9) ** 2 / (4000 / 9)).sum() < 26  # chi-square, 8 degrees of freedom, .999


def test_recipes_are_values() -> None:
    assert replace(Recipe(3), epochs=4) == Recipe(4)
    assert training.Recipe(3) != Recipe(4)


def test_a_last_batch_of_a_single_image_is_refused_before_the_first_step(sets) -> None:
    images, validation = sets
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
    before = copy.deepcopy(model.state_dict())
    recipe = Recipe(epochs=1, batch_size=len(images) - 1)
    with pytest.raises(TrainingError, match=r"leave a last batch of a single image, .*'training.batch_size'"):
        train(model, images, validation, recipe, torch.Generator())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    train(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), images, validation, recipe, torch.Generator())
