"""Bad teacher, step by step against a network in NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.methods.bad_teacher import BadTeacherParams
from benchmarks.toolbox.teachers import divergence
from benchmarks.trial.meter import Meter
from benchmarks.trial.shared_work import SharedWork
from tests.benchmarks.helpers import rng, tiny_data, weights
from tests.benchmarks.methods.numpy_network import CLASSES, images
from tests.benchmarks.methods.soft import Adam, SoftNetwork, batches_of, softmax

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


BAD_TEACHER = methods.get("bad_teacher")
BASE = BadTeacherParams(lr=0.01, epochs=2, temperature=2.0, retain_share=0.55, batch_size=4)
X, Y = images(21)
FORGET = [1, 5, 9, 13, 17, 2]
RETAIN = [i for i in range(len(X)) if i not in FORGET]
VARIANTS = {
    "base": {},
    "lr": {"lr": 0.003},
    "epochs": {"epochs": 1},
    "temperature": {"temperature": 1.0},
    "retain_share": {"retain_share": 1.0},
    "batch_size": {"batch_size": 7},
    "one_batch": {"batch_size": 100, "epochs": 1},
    "per_entry": {"divergence": "per_entry"},
}


def bad() -> SoftNetwork:
    return SoftNetwork(seed=5)


def unlearn(
    params: BadTeacherParams,
    model: nn.Module | None = None,
    seed: int = 0,
    shared_seed: int = 0,
    new_model: Callable[..., object] = lambda: bad().in_torch().train(),
) -> nn.Module:
    model = SoftNetwork().in_torch() if model is None else model
    data = tiny_data(BAD_TEACHER, X, Y, FORGET, num_classes=CLASSES, new_model=new_model)
    work = SharedWork("bad_teacher", Meter(torch.device("cpu")), shared_seed)
    return BAD_TEACHER.unlearn(model, replace(data, _work=work), params, rng(seed))


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_weights_and_gradients_are_those_of_the_equation(changes: dict[str, float | str]) -> None:
    params = replace(BASE, **changes)
    network = SoftNetwork()
    model = network.in_torch()
    seen = batches_of(model, X)
    targets = network.logits(X)
    targets[FORGET] = bad().logits(X)[FORGET]
    unlearn(params, model)
    adam = Adam(network, params.lr)
    share = CLASSES if params.divergence == "per_entry" else 1
    for batch in seen:
        gradients = network.divergence_gradients(X[batch], targets[batch], params.temperature)
        gradients = [g / share for g in gradients]
        adam.step(gradients)
    assert network.same_as(model)
    for p, expected in zip(model.parameters(), gradients, strict=True):
        assert np.allclose(p.grad.numpy(), expected, rtol=1e-6, atol=1e-12)


def test_every_variant_gives_other_weights() -> None:
    result = {name: weights(unlearn(replace(BASE, **changes))) for name, changes in VARIANTS.items()}
    assert len({tuple(w.tolist()) for w in result.values()}) == len(VARIANTS)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_divergence_is_summed_over_classes_and_averaged_over_images(temperature: float) -> None:
    draw = np.random.default_rng(0)
    teacher, student = draw.normal(size=(2, 5, CLASSES))
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    expected = (p * np.log(p / q)).sum() / 5
    result = divergence(torch.from_numpy(teacher), torch.from_numpy(student), temperature)
    assert result.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("share", "count"), [(0.1, 1), (0.5, 7), (1.0, 15), (0.01, 1)])
def test_it_learns_from_all_forget_images_and_the_same_retain_images_in_every_epoch(
    share: float, count: int
) -> None:
    model = SoftNetwork().in_torch()
    seen = batches_of(model, X)
    unlearn(replace(BASE, retain_share=share, epochs=3), model)
    often = Counter(i for batch in seen for i in batch)
    assert set(often.values()) == {3}
    assert set(FORGET) <= set(often)
    assert len(often) == len(FORGET) + count
    epoch = len(seen) // 3
    assert seen[:epoch] != seen[epoch : 2 * epoch]


def test_the_shared_seed_chooses_the_retain_images_and_the_trial_seed_their_order() -> None:
    orders = []
    for seeds in ((0, 0), (1, 0), (0, 1)):
        model = SoftNetwork().in_torch()
        seen = batches_of(model, X)
        unlearn(replace(BASE, epochs=1), model, *seeds)
        orders.append([i for batch in seen for i in batch])
    first, other_order, other_images = orders
    assert sorted(first) == sorted(other_order) != sorted(other_images)
    assert first != other_order


def test_each_teacher_computes_the_logits_of_its_images_once_in_eval_mode() -> None:
    model, fresh = SoftNetwork().in_torch(), bad().in_torch().train()
    learned = batches_of(model, X)
    good, worse = batches_of(model, X, training=False), batches_of(fresh, X, training=False)
    unlearn(replace(BASE, epochs=3), model, new_model=lambda: fresh)
    assert [i for batch in worse for i in batch] == FORGET
    asked = [i for batch in good for i in batch]
    assert len(asked) == len(set(asked)) == 8
    assert set(asked) == {i for batch in learned for i in batch} - set(FORGET)
    assert all(p.grad is None for p in fresh.parameters())


def test_batch_norm_follows_the_student_only() -> None:
    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Linear(9, CLASSES)).double()

    with torch.random.fork_rng():
        model, fresh = network().eval(), network()
    unlearn(BASE, model, new_model=lambda: fresh)
    assert model[1].running_mean.any()
    assert not fresh[1].running_mean.any()
    assert not model.training


@pytest.mark.parametrize(("epochs", "share"), [(1, 0.3), (3, 0.77)])
def test_a_trial_counts_its_samples_and_repeats(digits: Prepared, epochs: int, share: float) -> None:
    params = {"epochs": epochs, "retain_share": share}
    first, second = (run_trial(digits, "bad_teacher", params, seed=1) for _ in range(2))
    retain, forget = (len(digits.splits[f"{part}_train"]) for part in ("retain", "forget"))
    count = forget + int(share * retain)
    assert first.cost.samples_forward == (epochs + 1) * count
    assert first.cost.samples_backward == epochs * count
    assert torch.equal(weights(first.model), weights(second.model))


def test_it_forgets_the_class_and_keeps_the_others(digits: Prepared) -> None:
    result = run_trial(digits, "bad_teacher", {"lr": 1e-3, "epochs": 5, "retain_share": 0.8})
    assert result.metrics["forget_acc"] < 20
    assert result.metrics["retain_acc"] > 85
