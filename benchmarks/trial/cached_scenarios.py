"""Scenarios from the cache: prepared without importing torch, if all models and predictions are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.scenarios.roles import Part
from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.cache import CachedArrays, arrays_of
from benchmarks.training.kept_predictions import kept, predictions_id
from benchmarks.training.model_ids import model_id
from benchmarks.training.recipes import Recipe
from benchmarks.trial.packed import Packed


@dataclass(frozen=True)
class CachedScenario:
    """A scenario as `benchmarks.trial.prepared.prepare` packs it.

    Attributes:
        reports: The model cache's report of each of its models, by the model's role and, for retrained
            models, its number.
    """

    packed: Packed
    reports: dict[Part, dict[str, Any]]


def cached_scenario(
    scenario: Scenario,
    recipe: Recipe,
    eval_limit: int | None,
    *,
    device: str,
    threads: int,
    record: bool = False,
    keep_retrained: bool = False,
    references: int = 1,
    read: Callable[[str], CachedArrays | None] = arrays_of,
) -> CachedScenario | None:
    """A scenario from the cache alone; None unless everything is cached.

    None also for a sequence and for a published original model; use `prepare` for them.

    Args:
        device: The type of device of a worker's predictions, as torch names it.
        threads: The number of CPU threads of a worker's predictions.
        references: The required number of retrained models.
        read: Reads a model by its id. Scenarios of an original share its arrays if `read` caches them.
    """
    if scenario.task == "sequence" or recipe.original == "published":
        return None
    retrained: list[Part] = [("retrained", i) for i in range(references)]
    predicting: list[Part] = [("original", 0), *retrained]
    recorded: list[Part] = [("recorded", 0)] if record else []
    models: dict[Part, CachedArrays] = {}
    for role, number in (*predicting, *recorded):
        model = read(model_id(role, scenario, recipe, reference=number))
        if model is None:
            return None
        models[role, number] = model
    logits = []
    for part in predicting:
        sha256 = models[part].sha256
        predictions = kept(predictions_id(sha256, scenario, eval_limit, None, device, threads))
        if predictions is None:
            return None
        logits.append(predictions)
    original = models["original", 0]
    packed = Packed(
        scenario=scenario,
        recipe=recipe,
        eval_limit=eval_limit,
        original_id=original.id,
        weights_id=original.sha256,
        original=original.arrays,
        original_logits=logits[0],
        retrained_logits=tuple(logits[1:]),
        updates=models["recorded", 0].arrays if record else None,
        retrained=tuple(models[part].arrays for part in retrained) if keep_retrained else (),
        retrained_from="pretrained" if recipe.pretrained else "fresh",
    )
    return CachedScenario(packed, {part: model.report for part, model in models.items()})
