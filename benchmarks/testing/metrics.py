"""The contract of metrics."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.testing.checks import Check, Problems, description_checks, import_check, require_all

if TYPE_CHECKING:
    from benchmarks.evaluation import Evaluation, Predictions, References
    from benchmarks.metrics import Metric

_TASKS = ("full_class", "random")
_IDEALS = ("retrained", "zero", "none")


def check_metric(metric: Metric) -> None:
    """Check a metric: its description, and that it is a pure function that ignores the images' order.

    Raises:
        AssertionError: with a line for every broken rule.
    """
    require_all(
        f"metric '{metric.name}'",
        [
            *description_checks(metric),
            Check("declaration", partial(_declaration_problems, metric)),
            *(Check(f"value ({task})", partial(_value_problems, metric, task)) for task in _TASKS),
            import_check(metric.compute),
        ],
    )


def _declaration_problems(metric: Metric) -> Problems:
    if not metric.unit:
        yield "the unit is missing"
    if metric.ideal not in _IDEALS:
        yield f"ideal must be 'retrained', 'zero' or 'none', not '{metric.ideal}'"
    if metric.measured != "named" and metric.needs_models:
        yield "it trains models, which takes long, so it must be measured only where it is 'named'"


def _value_problems(metric: Metric, task: str) -> Problems:
    import numpy as np

    models = [_evaluation(task, seed) for seed in range(3)]
    references = _references(models)
    before = [part.logits.copy() for part in _parts(models[0])]
    value = metric.compute(models[0], references)
    if not isinstance(value, float):
        yield f"it must return a float, not {value!r}"
        return
    after = [part.logits for part in _parts(models[0])]
    if not all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)):
        yield "it must not change the predictions"
    reversed_models = [_evaluation(task, seed, reverse=True) for seed in range(3)]
    again = metric.compute(reversed_models[0], _references(reversed_models))
    if not np.isclose(value, again, rtol=1e-6, atol=1e-9, equal_nan=True):
        yield f"the order of the images must not matter, but {value} became {again}"
    if metric.ideal == "zero":
        best = metric.compute(models[2], references)
        if not (best == 0 or math.isnan(best)):
            yield f"it must be 0 for the retrained model (or missing), not {best}"


def _evaluation(task: str, seed: int, reverse: bool = False) -> Evaluation:
    import numpy as np

    from benchmarks.evaluation import Evaluation, Inverted, Predictions, Relearned
    from benchmarks.toolbox.geometry import Surface
    from benchmarks.weights.change import WeightChange

    rng = np.random.default_rng(seed)

    labelled = np.random.default_rng(99)  # the images are the same for every model

    def part(count: int, sharpness: float) -> Predictions:
        labels = labelled.integers(5, size=count)
        logits = rng.normal(size=(count, 5)) + sharpness * np.eye(5)[labels]
        order: np.ndarray = np.arange(count)[::-1] if reverse else np.arange(count)
        return Predictions(logits.astype(np.float32)[order], labels[order])

    retain, forget = part(60, 3.0), part(20, 1.5)
    return Evaluation(
        held_out="test",
        task=task,
        retain_train=retain,
        forget_train=forget,
        retain_held_out=part(40, 2.0),
        forget_held_out=part(0 if task == "random" else 15, 1.0),
        relearn=lambda accuracy: Relearned(steps=3 + seed, reached=True),
        change=lambda: WeightChange(changed=10.0 * seed, moved=0.1 * seed),
        surface=lambda: Surface(curvature=np.arange(20.0) + seed, agreement=np.full(20, 0.1 * seed)),
        synthetic=lambda: (retain, forget),
        inverted=lambda: Inverted(
            images=np.zeros((4, 1, 8, 8), np.uint8),
            labels=np.zeros(4, np.int64),
            recognised=np.arange(4) % (2 + seed),
        ),
    )


def _references(models: Sequence[Evaluation]) -> References:
    """The second and the third model as references; the first one's negated logits are the random model."""
    from benchmarks.evaluation import References

    forget = models[0].forget_train
    return References(models[1], models[2], lambda: dataclasses.replace(forget, logits=-forget.logits))


def _parts(e: Evaluation) -> tuple[Predictions, ...]:
    return (e.retain_train, e.forget_train, e.retain_held_out, e.forget_held_out)
