"""All metrics of one model on 60,000 images, and the public way: batch size 1, a pass per metric."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks import Scenario
from benchmarks.datasets import load
from benchmarks.evaluation import References, evaluate
from benchmarks.images import ImageSet
from benchmarks.metrics import measure as measure_metrics
from benchmarks.training.models import all_images, placed
from benchmarks.training.networks import build_network
from tests.performance.figures import Figure

AIMS = {"vgg11": 8.0, "cnn2": 20.0}
SUBSET = {"vgg11": 300, "cnn2": 2000}
ROUNDS = 3
Splits = dict[str, ImageSet]


def measure() -> Iterator[Figure]:
    """For each model the ratio of the two ways; needs the data in the data folder."""
    data, device = load("cifar100"), torch.device("cpu")
    for name, aim in AIMS.items():
        scenario = Scenario("cifar100", name, "full_class", "rocket")
        images = all_images(scenario, data, device)
        splits = {
            f"{part}_{split}": images[split].subset(_where(images[split], scenario, part))
            for part in ("retain", "forget")
            for split in ("train", "test")
        }
        plain_model = _confident(build_network(scenario, 0).eval())
        model = placed(copy.deepcopy(plain_model), device)
        small = {k: v.limited(SUBSET[name] // (1 if k == "retain_train" else 4)) for k, v in splits.items()}
        _same(_ours(model, small), _plain(plain_model, small))
        ratios = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            _plain(plain_model, small)
            per_image = (time.perf_counter() - began) / _passes(small)
            fraction = {k: v.limited(len(v) // (20 if name == "vgg11" else 1)) for k, v in splits.items()}
            began = time.perf_counter()
            _ours(model, fraction)
            scale = sum(map(len, splits.values())) / sum(map(len, fraction.values()))
            ours = (time.perf_counter() - began) * scale
            ratios.append((per_image * _passes(splits) / ours, ours, per_image * _passes(splits)))
        middle = statistics.median(r for r, _, _ in ratios)
        _, ours, plain = min(ratios, key=lambda r: abs(r[0] - middle))
        note = f"{ours:.1f} s against {plain:.0f} s, {torch.get_num_threads()} threads"
        yield Figure(
            f"evaluation of {name} on 60,000 images, plain over ours", middle, "times", aim, note=note
        )


def _confident(model: torch.nn.Module) -> torch.nn.Module:
    """An untrained model whose entropies differ as a trained one's do; otherwise the attack cannot fit."""
    last = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight *= 100
    return model


def _where(images: ImageSet, scenario: Scenario, part: str) -> torch.Tensor:
    forgotten = images.labels == scenario.forget_labels[0]
    return torch.nonzero(forgotten if part == "forget" else ~forgotten).squeeze(1)


def _ours(model: torch.nn.Module, splits: Splits) -> dict[str, float]:
    e = evaluate(model, splits, "full_class", "test")
    return measure_metrics(e, References(e, e))


def _passes(splits: Splits) -> int:
    """Images that go through the network when every metric makes its own pass."""
    n = {k: len(v) for k, v in splits.items()}
    test, train = n["retain_test"] + n["forget_test"], n["retain_train"] + n["forget_train"]
    return 2 * test + train + (train + test)  # five accuracies, then the attack


def _plain(model: torch.nn.Module, splits: Splits) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    def outputs(*names: str) -> Iterator[tuple[Any, int]]:
        for name in names:
            for x, y in splits[name].batches(1):
                with torch.no_grad():
                    yield model(x.contiguous()), int(y)

    def accuracy(*names: str) -> float:
        return 100 * float(np.mean([int(z.argmax()) == y for z, y in outputs(*names)]))

    def entropy(*names: str) -> np.ndarray:
        return np.array([[float(torch.special.entr(z.softmax(1)).sum())] for z, _ in outputs(*names)])

    accuracies = {
        "retain_acc": accuracy("retain_test"),
        "forget_acc": accuracy("forget_test"),
        "test_acc": accuracy("retain_test", "forget_test"),
        "retain_train_acc": accuracy("retain_train"),
        "forget_train_acc": accuracy("forget_train"),
    }
    members, others = entropy("retain_train"), entropy("retain_test", "forget_test")
    attack = LogisticRegression(class_weight="balanced", C=2.0, solver="newton-cholesky", tol=1e-10).fit(
        np.concatenate([members, others]), np.r_[np.ones(len(members)), np.zeros(len(others))]
    )
    return {**accuracies, "mia": 100 * float(attack.predict(entropy("forget_train")).mean())}


def _same(ours: dict[str, float], plain: dict[str, float]) -> None:
    for name, value in plain.items():
        assert abs(ours[name] - value) < 1e-6, f"{name}: {ours[name]} is not {value}"
