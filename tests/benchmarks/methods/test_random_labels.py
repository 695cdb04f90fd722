"""Random labels: the labels of every epoch, and the steps against a network in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.toolbox.relabelling import RandomLabelsParams
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, Batch, Descent, Network, images, watch

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


RANDOM_LABELS = methods.get("random_labels")
BASE = RandomLabelsParams(lr=0.1, epochs=2, batch_size=4)
FORGET = [1, 5, 9, 13, 17]
X, Y = images(22)
RETAIN = [i for i in range(len(X)) if i not in FORGET]
VARIANTS = {
    "base": {},
    "sequential": {"order": "sequential"},
    "any": {"labels": "any"},
    "permuted": {"labels": "permuted"},
    "lr": {"lr": 0.03},
    "epochs": {"epochs": 3},
    "batch_size": {"batch_size": 7},
    "no_momentum": {"momentum": 0.0},
    "weight_decay": {"weight_decay": 0.05},
}


def unlearn(
    params: RandomLabelsParams, model: nn.Module | None = None, forget: list[int] = FORGET, **more: object
) -> nn.Module:
    model = Network().in_torch() if model is None else model
    data = tiny_data(RANDOM_LABELS, X, Y, forget, num_classes=CLASSES, **more)
    return RANDOM_LABELS.unlearn(model, data, params, rng())


def seen_in(monkeypatch: pytest.MonkeyPatch, params: RandomLabelsParams, **more: object) -> list[list[Batch]]:
    """The batches of every epoch."""
    model = Network().in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(params, model, **more)
    per_epoch = len(seen) // params.epochs
    return [seen[i : i + per_epoch] for i in range(0, len(seen), per_epoch)]


def labelled(epoch: list[Batch]) -> dict[int, int]:
    """Position -> label, over the batches of an epoch."""
    return {i: int(y) for batch in epoch for i, y in zip(batch.positions, batch.labels, strict=True)}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_weights_are_those_of_descent_in_numpy(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float | str]
) -> None:
    params = replace(BASE, **changes)
    network = Network()
    model = network.in_torch()
    seen = watch(monkeypatch, model, X)
    unlearn(params, model)
    descent = Descent(network, params.lr, params.momentum, params.weight_decay)
    for batch in seen:
        descent.step(network.gradients(X[batch.positions], batch.labels))
    assert network.same_as(model)


def test_every_variant_gives_other_weights() -> None:
    result = {name: tuple(weights(unlearn(replace(BASE, **v))).tolist()) for name, v in VARIANTS.items()}
    assert len(set(result.values())) == len(VARIANTS)


@pytest.mark.parametrize("order", ["joined", "sequential"])
def test_every_epoch_passes_all_images_once_in_train_mode_and_in_another_order(
    monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    epochs = seen_in(monkeypatch, replace(BASE, order=order, epochs=3))
    passes = [[i for batch in epoch for i in batch.positions] for epoch in epochs]
    assert all(sorted(positions) == list(range(len(X))) for positions in passes)
    assert len({tuple(positions) for positions in passes}) == 3
    assert all(batch.training for epoch in epochs for batch in epoch)
    assert all(labelled(epoch)[i] == Y[i] for epoch in epochs for i in RETAIN)


def test_joined_batches_mix_both_and_sequential_batches_begin_with_the_forget_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = [i for batch in seen_in(monkeypatch, BASE)[0] for i in batch.positions]
    assert set(first[: len(FORGET)]) != set(FORGET)
    epochs = seen_in(monkeypatch, replace(BASE, order="sequential"))
    for epoch in epochs:
        assert [len(batch.positions) for batch in epoch] == [4, 1, 4, 4, 4, 4, 1]
        assert {i for batch in epoch[:2] for i in batch.positions} == set(FORGET)


def test_labels_are_drawn_anew_every_epoch_and_never_the_forgotten_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    epochs = [labelled(epoch) for epoch in seen_in(monkeypatch, replace(BASE, epochs=10))]
    drawn = [tuple(epoch[i] for i in FORGET) for epoch in epochs]
    assert len(set(drawn)) > 5
    assert {label for labels in drawn for label in labels} == {0, 2, 3}


def test_no_image_gets_its_true_label_if_no_class_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = [0, 5, 10, 15, 2]
    params = replace(BASE, epochs=10)
    epochs = [labelled(e) for e in seen_in(monkeypatch, params, forget=mixed, task="random")]
    assert all(epoch[i] != Y[i] for epoch in epochs for i in mixed)
    assert {epoch[0] for epoch in epochs} == {1, 2, 3}


def test_several_forgotten_classes_are_all_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [0, 1, 4, 5]
    epochs = [labelled(e) for e in seen_in(monkeypatch, replace(BASE, epochs=10), forget=both)]
    assert {epoch[i] for epoch in epochs for i in both} == {2, 3}


def test_with_any_labels_the_true_label_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    params = replace(BASE, labels="any", epochs=20)
    drawn = [labelled(epoch)[i] for epoch in seen_in(monkeypatch, params) for i in FORGET]
    assert set(drawn) == set(range(CLASSES))
    assert 10 < sum(label == 1 for label in drawn) < 40  # 25 expected, standard deviation 4.3


def test_permuted_labels_are_a_permutation_of_the_forget_images_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mixed = [0, 5, 10, 15, 2]
    params = replace(BASE, labels="permuted", epochs=6)
    epochs = [labelled(e) for e in seen_in(monkeypatch, params, forget=mixed, task="random")]
    drawn = [tuple(epoch[i] for i in mixed) for epoch in epochs]
    assert all(sorted(labels) == [0, 1, 2, 2, 3] for labels in drawn)
    assert len(set(drawn)) > 3


@pytest.mark.parametrize("order", ["joined", "sequential"])
def test_a_trial_counts_its_samples_tells_its_steps_and_repeats(digits: Prepared, order: str) -> None:
    params = {"epochs": 2, "batch_size": 256, "order": order}
    shares = []
    first = run_trial(digits, "random_labels", params, observe=lambda share, _: shares.append(share))
    second = run_trial(digits, "random_labels", params)
    images = len(digits.splits["forget_train"]) + len(digits.splits["retain_train"])
    assert first.cost.samples_forward == first.cost.samples_backward == 2 * images
    assert shares[-1] == 1
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_forgets_the_class_and_keeps_the_others(digits: Prepared) -> None:
    result = run_trial(digits, "random_labels", {"lr": 0.02, "epochs": 4})
    assert result.metrics["forget_acc"] < 20
    assert result.metrics["retain_acc"] > 85
