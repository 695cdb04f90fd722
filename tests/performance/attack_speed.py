"""An SVM attack on one number per image, and the plain way: fit the SVM to every image."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np
from sklearn.svm import SVC

from benchmarks.evaluation import Evaluation, Predictions
from benchmarks.metrics.svc_mia import ATTACKS
from tests.performance.figures import Figure

IMAGES = 10_000  # of members and of outsiders, as of CIFAR
ROUNDS = 3


def measure() -> Iterator[Figure]:
    """The ratio of both ways for the attack on confidence, and the largest difference of their answers."""
    ratios, differences = [], []
    for seed in range(ROUNDS):
        draw = np.random.default_rng(seed)
        members, forgotten, outside = (
            _predictions(draw, images, sharpness)
            for images, sharpness in ((IMAGES, 3), (2_000, 2), (IMAGES, 1))
        )
        nothing = _predictions(draw, 0, 1)
        evaluation = Evaluation("test", "random", members, forgotten, outside, nothing)
        began = time.perf_counter()
        ours = ATTACKS["confidence"](evaluation)
        middle = time.perf_counter()
        plain = _plain(members, forgotten, outside)
        ratios.append((time.perf_counter() - middle) / (middle - began))
        differences.append(abs(ours - plain))
    name = f"SVM attack on {2 * IMAGES:,} images, plain over ours"
    note = f"answers differ by {max(differences):.2f} points at most"
    yield Figure(name, statistics.median(ratios), "times", 30, note=note)


def _plain(members: Predictions, forgotten: Predictions, outside: Predictions) -> float:
    confidence = [np.exp(p.log_p_true)[:, None] for p in (members, outside, forgotten)]
    machine = SVC(C=3, gamma="auto").fit(np.concatenate(confidence[:2]), np.arange(2 * IMAGES) < IMAGES)
    return 100 * float(np.mean(~machine.predict(confidence[2])))


def _predictions(draw: np.random.Generator, count: int, sharpness: float) -> Predictions:
    labels = draw.integers(10, size=count)
    logits = 2 * draw.normal(size=(count, 10)) + sharpness * np.eye(10)[labels]
    return Predictions(logits.astype(np.float32), labels)
