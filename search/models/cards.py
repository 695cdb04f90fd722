"""The card next to the weights of an exported model: its origin and its figures."""

from __future__ import annotations

import datetime
import hashlib
import platform
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from search.results.rows import finite
from search.version import package_version

if TYPE_CHECKING:
    import torch

    from benchmarks.scenarios.scenario import Scenario
    from benchmarks.trial.prepared import Prepared
    from benchmarks.trial.run import TrialResult
    from search.models.chosen_values import Chosen
    from search.plans.plan import Plan


def model_card(
    plan: Plan, prepared: Prepared, result: TrialResult, chosen: Chosen, metrics: Iterable[str]
) -> dict[str, Any]:
    """The card of an unlearned model, as JSON values.

    Figures have the names and units of the table of trials, for the unlearned, the retrained and the original
    model, on test images. `parameters_from` is the source of the hyper-parameters.
    """
    from benchmarks.metrics import measure

    names = list(metrics)
    references = prepared.steps[-1].references("test")
    original = _with_relearning(prepared, references.original)
    figures = {
        "unlearned": result.metrics,
        "retrained": result.targets,
        "original": measure(original, references, names),
    }
    return {
        "model": "unlearned",
        "method": result.method,
        "access": result.access,
        "parameters": result.params,
        "parameters_from": {"source": chosen.source, "in_words": chosen.phrase, **chosen.details},
        **described(plan, prepared.scenario),
        "forget_count": len(prepared.splits["forget_train"]),
        "forget_sha256": _images_digest(prepared),
        "original": original_of(plan, prepared.original_id),
        "retrained_from": prepared.packed.retrained_from,
        "eval_split": result.held_out,
        "eval_limit": plan.eval_limit,
        "figures": {model: _plain(values) for model, values in figures.items()},
        "gap": finite(result.metrics["gap"]),
        "steps": [
            {
                "request": step.request,
                "unlearn_s": step.unlearn_s,
                "unlearned": _plain(step.metrics),
                "retrained": _plain(step.targets),
            }
            for step in result.steps
        ],
        "unlearn_s": result.cost.unlearn_s,
        "seed": result.seed,
        "precision": result.precision,
        **provenance(prepared.device),
    }


def described(plan: Plan, scenario: Scenario) -> dict[str, Any]:
    """The plan and the scenario of a model."""
    return {
        "plan": plan.name,
        "scale": plan.scale,
        "dataset": scenario.dataset,
        "network": scenario.model,
        "task": scenario.task,
        "forget": scenario.forget,
        "draw": scenario.draw,
        "scenario_seed": scenario.seed,
        "classes": list(scenario.classes),
    }


def original_of(plan: Plan, original_id: str) -> dict[str, Any]:
    """The original model: the user's checkpoint, or a model of the cache."""
    from benchmarks.weights.checkpoint import file_digest

    checkpoint = plan.original()
    if checkpoint is None:
        return {"original_id": original_id}
    return {
        "original_id": original_id,
        "file": checkpoint.file.name,
        "entry": checkpoint.entry,
        "sha256": file_digest(checkpoint.file),
    }


def provenance(device: torch.device) -> dict[str, Any]:
    """The time, the versions and the device with which a model was made."""
    import torch

    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "versions": {
            "unlearnbench": package_version(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "made_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _with_relearning(prepared: Prepared, original: Any) -> Any:
    """The original's evaluation, for metrics that train a model."""
    from dataclasses import replace

    last = prepared.steps[-1]
    return replace(original, relearn=last.relearning(prepared.original, "test"))


def _images_digest(prepared: Prepared) -> str:
    """The SHA-256 of the forgotten training images' indices, ascending, as little-endian int64."""
    images = np.sort(prepared.splits["forget_train"].index.cpu().numpy()).astype("<i8")
    return hashlib.sha256(images.tobytes()).hexdigest()


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: finite(value) for name, value in values.items()}
