"""EMMN against a reference in NumPy: noise of both kinds, impair; its access and its cost."""

from __future__ import annotations

import copy
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
from benchmarks.methods.emmn import EmmnParams
from benchmarks.toolbox import noise
from tests.benchmarks import noise_reference as reference
from tests.benchmarks.helpers import data_for, rng, tiny_data, weights

if TYPE_CHECKING:
    from benchmarks.training.recipes import Recipe
    from benchmarks.trial.prepared import Prepared


EMMN = methods.get("emmn")
BASE = EmmnParams(
    noise_lr=0.2,
    noise_steps=12,
    noise_penalty=0.3,
    noise_images=4,
    noise_copies=1,
    lr=0.02,
    epochs=2,
    batch_size=7,
)
HALVED = {"noise_lr": 1.0, "noise_steps": 40, "noise_penalty": 0.01}
VARIANTS = {
    "default": {},
    "noise_lr": {"noise_lr": 0.1},
    "noise_steps": {"noise_steps": 13},
    "noise_penalty": {"noise_penalty": 0.1},
    "noise_images": {"noise_images": 3},
    "noise_copies": {"noise_copies": 2},
    "lr": {"lr": 0.01},
    "epochs": {"epochs": 3},
    "batch_size": {"batch_size": 100},
    "squared": {"norm": "squared"},
    "halved": HALVED,
    "not_halved": {**HALVED, "halve_noise_lr": False},
    "forget_noise_steps": {"forget_noise_steps": 9},
    "used": {"noise_used": 3},
    "leaked": {"leaked_gradients": True},
    "leaked_all": {"leaked_gradients": True, "noise_used": 3, "forget_noise_steps": 9, "norm": "squared"},
}


def tiny(forget_labels: tuple[int, ...] = (3,)) -> TrialData:
    """Trial data with five classes and without images."""
    x = torch.zeros(reference.CLASSES, *reference.SHAPE).double()
    data = tiny_data(
        EMMN, x, torch.arange(reference.CLASSES), list(forget_labels), num_classes=reference.CLASSES
    )
    return replace(data, _forget=None, _retain=None, _validation=None)


def expected(model: nn.Module, forget_labels: tuple[int, ...], params: EmmnParams) -> np.ndarray:
    """All weights after the noise of every class and the impair phase."""
    generator, start = rng(), reference.weights_of(model)
    others = [c for c in range(reference.CLASSES) if c not in forget_labels]
    made, labels = [], []
    leak = reference.nothing(start) if params.leaked_gradients else None
    for classes, maximise in ((forget_labels, True), (others, False)):
        drawn = reference.normal(len(classes), params.noise_images, generator)
        for pixels, label in zip(drawn, classes, strict=True):
            z, _ = reference.noise_of_class(
                start,
                pixels,
                label,
                maximise=maximise,
                norm=params.norm,
                penalty=params.noise_penalty,
                steps=(params.forget_noise_steps if maximise else None) or params.noise_steps,
                lr=params.noise_lr,
                halve_lr=params.halve_noise_lr,
                leak=leak,
            )
            z = z[: params.noise_used]
            made.append(z)
            labels += [label] * len(z)
    x = np.tile(np.concatenate(made), (params.noise_copies, 1))
    y = np.tile(labels, params.noise_copies)
    batches = [
        (x[part], y[part])
        for _ in range(params.epochs)
        for part in reference.shuffled(len(y), params.batch_size, generator)
    ]
    return np.concatenate([w.ravel() for w in reference.trained(start, batches, params.lr, leak)])


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("forget_labels", [(3,), (1, 4)])
def test_the_weights_are_those_of_both_phases(
    changes: dict[str, bool | float | str], forget_labels: tuple[int, ...]
) -> None:
    params = replace(BASE, **changes)
    model = reference.network()
    wanted = expected(model, forget_labels, params)
    result = weights(EMMN.unlearn(model, tiny(forget_labels), params, rng()))
    assert np.allclose(result, wanted, rtol=1e-6, atol=1e-9)


def test_every_variant_gives_other_weights() -> None:
    result = {
        weights(EMMN.unlearn(reference.network(), tiny(), replace(BASE, **changes), rng())).numpy().tobytes()
        for changes in VARIANTS.values()
    }
    assert len(result) == len(VARIANTS)


def test_as_coded_it_is_the_published_loop() -> None:
    """The behaviour of the code of JiT: nothing resets the network's gradients or its mode."""
    params = build(EmmnParams, {**EMMN.preset("jit_as_coded").values, "noise_copies": 2})
    model = nn.Sequential(nn.BatchNorm2d(2), reference.network()).double().eval()
    ours = EMMN.unlearn(copy.deepcopy(model), tiny(), params, rng())

    generator = rng()
    starts = {}
    for classes in ([3], [0, 1, 2, 4]):
        drawn = torch.randn((len(classes), 4, *reference.SHAPE), generator=generator).double()
        starts |= dict(zip(classes, drawn, strict=True))
    model.train()
    x, y = [], []
    for c in (3, 0, 1, 2, 4):
        noise = nn.Parameter(starts[c])
        on_noise = torch.optim.Adam([noise], lr=0.1)
        for _ in range(25 if c == 3 else 30):
            loss = F.cross_entropy(model(noise), torch.full((4,), c))
            if c == 3:
                loss = -loss + 0.1 * noise.square().sum(dim=(1, 2, 3)).mean()
            on_noise.zero_grad()
            loss.backward()
            on_noise.step()
        x.append(noise.detach()[:3])
        y.append(torch.full((3,), c))
    x, y = torch.cat([*x, *x]), torch.cat([*y, *y])
    on_weights = torch.optim.Adam(model.parameters(), lr=1e-4)
    for _ in range(2):
        for part in torch.randperm(len(x), generator=generator).split(4):
            F.cross_entropy(model(x[part]), y[part]).backward()
            on_weights.step()
            on_weights.zero_grad()
    for (name, theirs), value in zip(model.state_dict().items(), ours.state_dict().values(), strict=True):
        assert torch.allclose(value, theirs, rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize(("mode", "training"), [("train", True), ("eval", False)])
def test_the_mode_is_that_of_the_impair_phase_and_decides_on_batch_norm_statistics(
    mode: str, training: bool
) -> None:
    modes = []
    model = nn.Sequential(nn.BatchNorm2d(2), reference.network()).double().eval()
    model.register_forward_hook(lambda m, *_: modes.append(m.training))
    model = EMMN.unlearn(model, tiny(), replace(BASE, mode=mode), rng())
    impairs = 2 * 3  # 20 images in batches of 7
    assert modes == [False] * (2 * BASE.noise_steps) + [training] * impairs
    assert model[0].num_batches_tracked == (impairs if training else 0)
    assert (model[0].running_mean == 0).all() == (not training)
    assert not model.training


def test_every_step_on_the_network_is_reported() -> None:
    shares = []
    data = replace(tiny(), _observe=lambda _, share: shares.append(share))
    EMMN.unlearn(reference.network(), data, replace(BASE, noise_copies=2), rng())
    assert shares == pytest.approx([(i + 1) / 12 for i in range(12)])  # 40 images in batches of 7, twice


def test_noise_looks_like_its_class_unless_that_is_to_be_forgotten(
    digits: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, **how: object) -> None:
        model.eval()
        logits = model(images)
        forgotten = labels == 8
        assert torch.bincount(labels).tolist() == [16] * 10
        assert (logits[~forgotten].argmax(dim=1) == labels[~forgotten]).all()
        assert F.cross_entropy(logits[~forgotten], labels[~forgotten]) < 0.1
        assert F.cross_entropy(logits[forgotten], labels[forgotten]) > 3
        checked.append(True)

    checked = []
    monkeypatch.setattr(noise, "impair", check)
    params = EmmnParams(noise_images=16, noise_steps=60, noise_penalty=0.02)
    EMMN.unlearn(digits.original, data_for(digits, EMMN), params, rng())
    assert checked


@pytest.mark.parametrize("copies", [1, 5])
def test_a_trial_counts_its_samples_and_repeats(digits: Prepared, copies: int) -> None:
    params = {"noise_steps": 6, "noise_images": 3, "noise_copies": copies, "epochs": 2}
    first, second = (run_trial(digits, "emmn", params, seed=1) for _ in range(2))
    cost = 10 * 3 * (6 + 2 * copies)
    assert first.cost.samples_forward == first.cost.samples_backward == cost
    assert torch.equal(weights(first.model), weights(second.model))


# 64 images per class, because with 16 the result depends on the seed
GOOD = {"noise_images": 64, "noise_steps": 40, "noise_penalty": 0.15, "lr": 5e-3, "epochs": 8}


@pytest.mark.parametrize("forget", ["8", "3+8"])
def test_it_forgets_and_keeps_a_good_part_of_the_others(short: Recipe, forget: str) -> None:
    prepared = prepare(Scenario("digits", "cnn2", "full_class", forget), recipe=short)
    result = run_trial(prepared, "emmn", GOOD, seed=1)
    assert result.metrics["forget_acc"] < 60
    assert result.metrics["retain_acc"] > 60
