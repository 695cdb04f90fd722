"""Soft relabelling: the labels against NumPy, the steps against a network in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods, soft_relabeling
from benchmarks.methods.soft_relabeling import SoftRelabelingParams, soft_labels
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, images
from tests.benchmarks.methods.soft import Adam, SoftNetwork, batches_of, softmax

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


SOFT = methods.get("soft_relabeling")
X, Y = images(21)
FORGET = [1, 5, 9, 13, 17, 2]
RETAIN = [i for i in range(len(X)) if i not in FORGET]
BASE = SoftRelabelingParams(
    lr=0.01,
    epochs=2,
    temperature=0.8,
    label_smoothing=0.1,
    repair_lr=0.02,
    repair_epochs=2,
    batch_size=4,
    retain_batch_size=128,
    weight_decay=0.1,
)
VARIANTS = {
    "base": {},
    "lr": {"lr": 0.003},
    "epochs": {"epochs": 3},
    "temperature": {"temperature": 3.0},
    "label_smoothing": {"label_smoothing": 0.0},
    "repair_lr": {"repair_lr": 0.001},
    "repair_epochs": {"repair_epochs": 1},
    "batch_size": {"batch_size": 6},
    "retain_batch_size": {"retain_batch_size": 5},
    "weight_decay": {"weight_decay": 0.0},
}


def unlearn(params: SoftRelabelingParams, model: nn.Module | None = None) -> nn.Module:
    model = SoftNetwork().in_torch() if model is None else model
    data = tiny_data(SOFT, X, Y, FORGET, num_classes=CLASSES)
    return SOFT.unlearn(model, data, params, rng())


def mixed(
    forget: np.ndarray, retain: np.ndarray, labels: np.ndarray | torch.Tensor, temperature: float
) -> np.ndarray:
    """Labels for the embeddings of forget images, image by image."""
    result = []
    for h in forget:
        weight = np.exp([-np.sqrt(((h - other) ** 2).sum()) / temperature for other in retain])
        result.append(sum(w / weight.sum() * np.eye(CLASSES)[y] for w, y in zip(weight, labels, strict=True)))
    return np.array(result)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_labels_are_those_of_the_equation(temperature: float) -> None:
    draw = np.random.default_rng(0)
    forget, retain = draw.normal(size=(5, CLASSES)), draw.normal(size=(9, CLASSES))
    labels = draw.integers(CLASSES, size=9)
    result = soft_labels(
        *(torch.from_numpy(a) for a in (forget, retain, np.eye(CLASSES)[labels])), temperature
    ).numpy()
    assert np.allclose(result, mixed(forget, retain, labels, temperature), rtol=1e-6)
    assert np.allclose(result.sum(axis=1), 1)


def test_cold_labels_are_those_of_the_nearest_image_and_hot_labels_the_batch_average() -> None:
    forget, retain = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0], [9.0, 0.0]])
    labels = torch.eye(3)
    assert torch.allclose(soft_labels(forget, retain, labels, 1e-3), torch.tensor([[0.0, 1.0, 0.0]]))
    assert torch.allclose(soft_labels(forget, retain, labels, 1e5), torch.full((1, 3), 1 / 3), atol=1e-4)


def test_autocast_does_not_round_labels() -> None:
    draw = torch.randn(3, 6, 3, generator=rng())
    plain = soft_labels(*draw, 1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(soft_labels(*draw, 1.0), plain)


@pytest.mark.parametrize("name", [n for n in VARIANTS if n != "retain_batch_size"])
def test_the_weights_are_those_of_the_equation(name: str) -> None:
    params = replace(BASE, **VARIANTS[name])
    network = SoftNetwork()
    model, embedded = network.in_torch(), network.logits(X)
    seen = batches_of(model, X)
    unlearn(params, model)
    targets = np.eye(CLASSES)[Y]
    targets[FORGET] = mixed(embedded[FORGET], embedded[RETAIN], Y[RETAIN], params.temperature)
    targets = (1 - params.label_smoothing) * targets + params.label_smoothing / CLASSES
    relabelling = params.epochs * -(-len(FORGET) // params.batch_size)
    repair = params.repair_epochs * -(-len(RETAIN) // params.batch_size)
    assert len(seen) == relabelling + repair
    phases = (
        (seen[:relabelling], FORGET, [params.lr] * relabelling),
        (
            seen[relabelling:],
            RETAIN,
            [params.repair_lr * (1 + np.cos(np.pi * s / repair)) / 2 for s in range(repair)],
        ),
    )
    for batches, allowed, rates in phases:
        adam = Adam(network, params.lr, params.weight_decay, decoupled=True)
        for batch, adam.lr in zip(batches, rates, strict=True):
            assert set(batch) <= set(allowed)
            delta = (softmax(network.logits(X[batch])) - targets[batch]) / len(batch)
            adam.step(network.pulled_back(X[batch], delta))
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = {name: weights(unlearn(replace(BASE, **changes))) for name, changes in VARIANTS.items()}
    assert len({tuple(w.tolist()) for w in result.values()}) == len(VARIANTS)


def test_every_step_compares_with_other_retain_images_of_the_asked_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = []

    def spy(
        forget: torch.Tensor, retain: torch.Tensor, labels: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        batches.append((retain, labels))
        return soft_labels(forget, retain, labels, temperature)

    monkeypatch.setattr(soft_relabeling, "soft_labels", spy)
    network = SoftNetwork()
    embedded = network.logits(X)
    unlearn(replace(BASE, retain_batch_size=5))
    result = []
    for retain, labels in batches:
        positions = [int(np.abs(embedded - h).sum(axis=1).argmin()) for h in retain.numpy()]
        assert np.allclose(embedded[positions], retain.numpy())
        assert set(positions) <= set(RETAIN)
        assert len(set(positions)) == 5
        assert labels.argmax(dim=1).tolist() == Y[positions].tolist()
        result.append(tuple(positions))
    assert len(set(result)) == len(result) == 2 * 2


def test_no_forgotten_class_is_ever_in_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def spy(*arguments: float | torch.Tensor) -> torch.Tensor:
        made.append(soft_labels(*arguments))
        return made[-1]

    monkeypatch.setattr(soft_relabeling, "soft_labels", spy)
    forget = [i for i in range(len(X)) if Y[i] in (1, 3)]
    data = tiny_data(SOFT, X, Y, forget, num_classes=CLASSES)
    SOFT.unlearn(SoftNetwork().in_torch(), data, BASE, rng())
    labels = torch.cat(made)
    assert not labels[:, [1, 3]].any()
    assert (labels[:, [0, 2]] > 0).all()


def test_it_embeds_in_eval_mode_and_learns_in_train_mode() -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Linear(9, CLASSES)).double().eval()
    embedded = batches_of(model, X, training=False)
    unlearn(BASE, model)
    assert sorted(i for batch in embedded for i in batch) == list(range(len(X)))
    assert model[1].running_mean.any()
    assert not model.training


@pytest.mark.parametrize(("epochs", "repair_epochs"), [(1, 1), (3, 2)])
def test_a_trial_counts_its_samples_and_repeats(digits: Prepared, epochs: int, repair_epochs: int) -> None:
    params = {"epochs": epochs, "repair_epochs": repair_epochs}
    first, second = (run_trial(digits, "soft_relabeling", params, seed=1) for _ in range(2))
    retain, forget = (len(digits.splits[f"{part}_train"]) for part in ("retain", "forget"))
    backward = epochs * forget + repair_epochs * retain
    assert first.cost.samples_backward == backward
    assert first.cost.samples_forward == backward + forget + retain
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_forgets_the_class_and_keeps_the_others(digits: Prepared) -> None:
    result = run_trial(digits, "soft_relabeling", {"repair_epochs": 4})
    assert result.metrics["forget_acc"] < 20
    assert result.metrics["retain_acc"] > 85
