"""Rows of the tables from the result of a trial."""

from __future__ import annotations

import base64
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.results.layout import Row
from benchmarks.scenarios.scenario import forgets_images
from search.studies.assignments import Assignment
from search.version import package_version

if TYPE_CHECKING:
    from benchmarks.evaluation import Predictions
    from benchmarks.trial.prepared import Prepared
    from benchmarks.trial.run import TrialResult


def trial_row(result: TrialResult, prepared: Prepared, identity: Mapping[str, Any]) -> Row:
    """The row of the trials table.

    Args:
        identity: The columns of `Assignment.identity`, the times, overhead_s and gpu_fraction.
    """
    import torch

    scenario = result.scenario
    cuda = prepared.device.type == "cuda"
    return {
        "dataset": scenario.dataset,
        "model": scenario.model,
        "task": scenario.task,
        "method": result.method,
        "forget": scenario.forget,
        "forget_count": len(prepared.splits["forget_train"]),
        "scenario_seed": scenario.seed,
        "draw": scenario.draw,
        "original_id": prepared.original_id,
        "retrained_from": prepared.packed.retrained_from,
        "eval_split": result.held_out,
        "forget_split": "train" if forgets_images(scenario.task) else result.held_out,
        "eval_limit": result.eval_limit,
        "eval_images": None if result.evaluation is None else result.evaluation.images,
        "eval_ended": result.eval_ended,
        "access": result.access,
        "precision": result.precision,
        "seed": result.seed,
        "shared_seed": result.shared_seed,
        "state": result.state,
        "error": result.error,
        **{f"param_{name}": value for name, value in result.params.items()},
        **{name: finite(value) for name, value in result.metrics.items()},
        **{f"target_{name}": finite(value) for name, value in result.targets.items()},
        **asdict(result.cost),
        "device": torch.cuda.get_device_name(prepared.device) if cuda else "cpu",
        "host": platform.node(),
        "version": package_version(),
        "torch_version": str(torch.__version__),  # with its class of torch, the driver would import torch
        **identity,
    }


def spent(row: Row) -> float:
    """Seconds that a trial spent in its method and in evaluation, without reused parts.

    A point that was run with several seeds spent them with each seed.
    """
    unlearning, evaluation, reused = (
        float(row.get(part) or 0.0) for part in ("unlearn_s", "eval_s", "reused_s")
    )
    return int(row.get("repeats") or 1) * (unlearning - reused + evaluation)


def lost_row(assignment: Assignment, reason: str) -> Row:
    """The row of a trial that was killed, or whose worker died in every attempt."""
    scenario = assignment.scenario
    return {
        "dataset": scenario.dataset,
        "model": scenario.model,
        "task": scenario.task,
        "method": assignment.method,
        "forget": scenario.forget,
        "scenario_seed": scenario.seed,
        "draw": scenario.draw,
        "eval_split": assignment.held_out,
        **assignment.identity,
        "seed": assignment.seed,
        "shared_seed": assignment.seed if assignment.shared_seed is None else assignment.shared_seed,
        "state": "failed",
        "error": reason,
        **{f"param_{name}": value for name, value in assignment.params.items()},
        "version": package_version(),
    }


def class_rows(result: TrialResult, prepared: Prepared) -> list[Row]:
    """Correct and total images per split and finest class; empty when the trial failed."""
    e = result.evaluation
    if e is None:
        return []
    data, held_out = prepared.data, e.held_out
    parts = (
        ("train", "retain_train", e.retain_train, data.train.y),
        ("train", "forget_train", e.forget_train, data.train.y),
        ("test", f"retain_{held_out}", e.retain_held_out, data.test.y),
        ("test", f"forget_{held_out}", e.forget_held_out, data.test.y),
    )
    rows: list[Row] = []
    for split, name, predictions, y in parts:
        fine = y[prepared.measured[name].index.cpu().numpy()]
        for index in np.unique(fine):
            correct = predictions.correct[fine == index]
            rows.append(
                {
                    "split": split,
                    "class": data.source.classes[index],
                    "forgotten": name.startswith("forget"),
                    "correct": int(correct.sum()),
                    "total": len(correct),
                }
            )
    return rows


def sample_rows(result: TrialResult, prepared: Prepared) -> list[Row]:
    """The model's prediction for every forgotten training image; empty when the trial failed."""
    if result.evaluation is None:
        return []
    p: Predictions = result.evaluation.forget_train
    images = prepared.measured["forget_train"].index.cpu().numpy()
    names = prepared.scenario.classes
    columns = {
        "image": images.tolist(),
        "entropy": p.entropy.tolist(),
        "loss": (-p.log_p_true).tolist(),
        "p_true": np.exp(p.log_p_true).tolist(),
        "correct": p.correct.tolist(),
        "predicted": [names[i] for i in p.predicted],
        "confidence": p.confidence.tolist(),
    }
    if result.surface is not None:
        columns["curvature"] = [finite(value) for value in result.surface.curvature.tolist()]
        columns["agreement"] = result.surface.agreement.tolist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def step_rows(result: TrialResult) -> list[Row]:
    """The metrics of a sequence after each of its requests; empty for other tasks."""
    return [
        {
            "step": number,
            "request": step.request,
            **{name: finite(value) for name, value in step.metrics.items()},
            **{f"target_{name}": finite(value) for name, value in step.targets.items()},
            "unlearn_s": step.unlearn_s,
        }
        for number, step in enumerate(result.steps, start=1)
    ]


def progress_rows(result: TrialResult) -> list[Row]:
    """The metrics of the model while the method ran; empty if none were measured."""
    return [
        {
            "done": point.done,
            "seconds": point.seconds,
            **{name: finite(value) for name, value in point.metrics.items()},
        }
        for point in result.course
    ]


def inversion_rows(result: TrialResult) -> list[Row]:
    """The images that the model recognises as a forgotten class; empty if the metric was not measured."""
    from benchmarks.trial.inversion import as_png

    inverted = result.inverted
    if inverted is None:
        return []
    names, seen = result.scenario.classes, Counter[int]()
    rows = []
    for pixels, label, taken in zip(inverted.images, inverted.labels, inverted.recognised, strict=True):
        rows.append(
            {
                "image": seen[label],
                "shows": names[label],
                "recognised": names[taken],
                "png": base64.b64encode(as_png(pixels)).decode(),
            }
        )
        seen[label] += 1
    return rows


@cache
def finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
