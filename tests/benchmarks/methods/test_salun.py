"""SalUn: the mask and the steps inside it, against a network in NumPy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.access import TrialData
from benchmarks.methods import methods
from benchmarks.methods.salun import SalunParams, largest, ranked, saliency
from benchmarks.toolbox.relabelling import RandomLabelsParams
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, Descent, Network, images, watch

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


SALUN, RANDOM_LABELS = methods.get("salun"), methods.get("random_labels")
BASE = SalunParams(lr=0.1, epochs=2, batch_size=4, mask_fraction=0.3, weight_decay=0.05)
FORGET = [1, 5, 9, 13, 17]
X, Y = images(22)
VARIANTS = {
    "base": {},
    "mask_fraction": {"mask_fraction": 0.8},
    "everything": {"mask_fraction": 1.0},
    "sequential": {"order": "sequential"},
    "any": {"labels": "any"},
    "no_momentum": {"momentum": 0.0},
    "weight_decay": {"weight_decay": 0.0},
    "batch_size": {"batch_size": 3},
}


def data() -> TrialData:
    return tiny_data(SALUN, X, Y, FORGET, num_classes=CLASSES)


def unlearn(params: SalunParams, model: nn.Module | None = None) -> nn.Module:
    model = Network().in_torch() if model is None else model
    return SALUN.unlearn(model, data(), params, rng())


def reference_masks(network: Network, fraction: float) -> list[np.ndarray]:
    """1 for the largest |sum of the gradient over single forget images|, over all weights."""
    total = [np.zeros_like(w) for w in network.weights]
    for i in FORGET:
        total = [t + g for t, g in zip(total, network.gradients(X[[i]], Y[[i]]), strict=True)]
    largest = sorted((abs(v) for t in total for v in t.flatten()), reverse=True)
    threshold = largest[math.floor(fraction * len(largest)) - 1]
    return [(abs(t) >= threshold).astype(float) for t in total]


def test_the_share_is_rounded_down_as_in_the_published_code() -> None:
    values = [torch.arange(437.0)]
    [mask] = largest(ranked(values), 0.1, values)
    assert mask.nonzero().flatten().tolist() == list(range(437 - 43, 437))


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("batch_size", [2, 5])
def test_the_mask_is_the_top_share_of_all_weights_together(fraction: float, batch_size: int) -> None:
    network = Network()
    saliencies = saliency(network.in_torch(), data().forget, batch_size)
    result = largest(ranked(saliencies), fraction, saliencies)
    expected = reference_masks(network, fraction)
    count = sum(w.size for w in network.weights)
    assert sum(int(m.sum()) for m in result) == math.floor(fraction * count)
    for mask, reference in zip(result, expected, strict=True):
        assert np.array_equal(mask.numpy(), reference == 1)


def test_the_saliency_is_the_size_of_the_summed_gradient_in_eval_mode() -> None:
    network = Network()
    model = network.in_torch()
    inner = nn.Sequential(*model, nn.Dropout(0.5)).train()
    result = saliency(inner, data().forget, 2)
    mean = network.gradients(X[FORGET], Y[FORGET])
    for value, gradient in zip(result, mean, strict=True):
        assert np.allclose(value.numpy(), abs(len(FORGET) * gradient), rtol=1e-6, atol=1e-12)


def test_the_saliency_takes_nothing_over_from_earlier_gradients() -> None:
    model = Network().in_torch()
    once = saliency(model, data().forget, 2)
    assert all(torch.equal(a, b) for a, b in zip(once, saliency(model, data().forget, 2), strict=True))


def test_of_equal_saliencies_the_first_are_taken() -> None:
    values = [torch.tensor([[0.0, 3.0], [0.0, 0.0]]), torch.tensor([0.0, 5.0])]
    assert ranked(values).tolist() == [5, 1, 0, 2, 3, 4]
    masks = largest(ranked(values), 0.5, values)
    assert masks[0].tolist() == [[True, True], [False, False]]
    assert masks[1].tolist() == [False, True]


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_descent_inside_the_mask(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float | str]
) -> None:
    params = replace(BASE, **changes)
    network = Network()
    masks = reference_masks(network, params.mask_fraction)
    model = network.in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(params, model)
    descent = Descent(network, params.lr, params.momentum, params.weight_decay)
    for batch in seen:
        if batch.training:  # the other batches are for the saliency
            descent.step(network.gradients(X[batch.positions], batch.labels), masks)
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = {name: tuple(weights(unlearn(replace(BASE, **v))).tolist()) for name, v in VARIANTS.items()}
    assert len(set(result.values())) == len(VARIANTS)


def test_what_is_masked_out_stays_bit_for_bit_after_every_step(digits: Prepared) -> None:
    params = {"epochs": 2, "mask_fraction": 0.2, "weight_decay": 0.01}
    result = run_trial(digits, "salun", params)
    kept = weights(result.model) == weights(digits.original)
    assert kept.float().mean() >= 0.8 - 1e-4
    assert kept.float().mean() < 0.9


def test_with_all_weights_free_it_is_random_labels() -> None:
    shared = {"lr": 0.1, "epochs": 2, "batch_size": 4, "weight_decay": 0.05}
    other = RANDOM_LABELS.unlearn(
        Network().in_torch(),
        tiny_data(RANDOM_LABELS, X, Y, FORGET, num_classes=CLASSES),
        RandomLabelsParams(**shared),
        rng(),
    )
    assert torch.equal(weights(unlearn(SalunParams(**shared, mask_fraction=1.0))), weights(other))


def test_a_pass_over_the_forget_images_in_eval_mode_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Network().in_torch()
    seen = watch(monkeypatch, model, X)
    assert not unlearn(BASE, model).training
    assert [batch.training for batch in seen[:3]] == [False, False, True]
    assert all(batch.training for batch in seen[2:])
    assert seen[0].positions + seen[1].positions == FORGET
    assert all(torch.equal(batch.labels, Y[batch.positions]) for batch in seen[:2])


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_trial_counts_its_samples_tells_its_steps_and_repeats(digits: Prepared, epochs: int) -> None:
    params = {"epochs": epochs, "batch_size": 256}
    shares = []
    first = run_trial(digits, "salun", params, observe=lambda share, _: shares.append(share))
    second = run_trial(digits, "salun", params)
    forget, retain = (len(digits.splits[f"{part}_train"]) for part in ("forget", "retain"))
    images = forget + epochs * (forget + retain)
    assert first.cost.samples_forward == first.cost.samples_backward == images
    assert shares[-1] == 1
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_forgets_the_class_and_keeps_the_others(digits: Prepared) -> None:
    result = run_trial(digits, "salun", {"lr": 0.02, "epochs": 4})
    assert result.metrics["forget_acc"] < 20
    assert result.metrics["retain_acc"] > 85
