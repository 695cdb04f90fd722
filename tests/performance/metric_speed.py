"""All per-prediction metrics of one model together: 60,000 images of 100 classes, references included."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics import benchmark_metrics, measure
from tests.performance.figures import Figure

IMAGES = {"retain_train": 49_500, "forget_train": 500, "retain_held_out": 9_900, "forget_held_out": 100}
CLASSES = 100
ROUNDS = 3


def measurements() -> Iterator[Figure]:
    """The fastest of a few rounds, each with new predictions, for which nothing is cached."""
    draw = np.random.default_rng(0)
    labels = {name: draw.integers(CLASSES, size=count) for name, count in IMAGES.items()}
    logits = [
        {name: _logits(draw, y, sharpness) for name, y in labels.items()} for sharpness in (4.0, 5.0, 4.5)
    ]
    untrained = Predictions(_logits(draw, labels["forget_train"], 0.0), labels["forget_train"])
    seconds = []
    for _ in range(ROUNDS):
        model, original, retrained = (_evaluation(z, labels) for z in logits)
        began = time.perf_counter()
        measure(model, References(original, retrained, lambda: untrained), benchmark_metrics())
        seconds.append(time.perf_counter() - began)
    name = f"all metrics of {sum(IMAGES.values()):,} x {CLASSES} logits"
    note = f"{len(benchmark_metrics())} metrics, the retrained model's answers prepared too"
    yield Figure(name, min(seconds), "s", 2, at_most=True, note=note)


def _evaluation(logits: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> Evaluation:
    parts = {name: Predictions(logits[name], y) for name, y in labels.items()}
    return Evaluation(
        "test",
        "full_class",
        parts["retain_train"],
        parts["forget_train"],
        parts["retain_held_out"],
        parts["forget_held_out"],
    )


def _logits(draw: np.random.Generator, labels: np.ndarray, sharpness: float) -> np.ndarray:
    noise = 2 * draw.normal(size=(len(labels), CLASSES))
    logits: np.ndarray = noise + sharpness * np.eye(CLASSES)[labels]
    return logits.astype(np.float32)
