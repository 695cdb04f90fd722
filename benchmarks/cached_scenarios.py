"""Scenarios whose models and predictions are all kept: made ready without importing torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.cache import CachedArrays, arrays_of
from benchmarks.kept_predictions import kept, predictions_id
from benchmarks.model_ids import model_id
from benchmarks.packed import Packed
from benchmarks.roles import Role
from benchmarks.scenarios import Scenario
from benchmarks.training import Recipe


@dataclass(frozen=True)
class CachedScenario:
    """A scenario as `benchmarks.prepared.prepare` packs it.

    Attributes:
        reports: What the model cache says of each of its models, by the part that the model plays.
    """

    packed: Packed
    reports: dict[Role, dict[str, Any]]


def cached_scenario(
    scenario: Scenario,
    recipe: Recipe,
    eval_limit: int | None,
    *,
    device: str,
    threads: int,
    record: bool = False,
    keep_retrained: bool = False,
    read: Callable[[str], CachedArrays | None] = arrays_of,
) -> CachedScenario | None:
    """A scenario from the cache alone; None unless everything is there.

    None also for a sequence and for an original that is used as it was published: `prepare` knows them.

    Args:
        device: The kind of device on which a worker would predict, as torch calls it.
        threads: Threads of a CPU with which it would.
        read: Reads a model by its id. Scenarios of one original share its arrays if `read` keeps them.
    """
    if scenario.task == "sequence" or recipe.original == "published":
        return None
    roles: list[Role] = ["original", "retrained", *(["recorded"] if record else [])]  # type: ignore[list-item]
    models: dict[Role, CachedArrays] = {}
    for role in roles:
        model = read(model_id(role, scenario, recipe))
        if model is None:
            return None
        models[role] = model
    logits = {}
    for role in ("original", "retrained"):
        sha256 = models[role].sha256
        predictions = kept(predictions_id(sha256, scenario, eval_limit, None, device, threads))
        if predictions is None:
            return None
        logits[role] = predictions
    original, retrained = models["original"], models["retrained"]
    packed = Packed(
        scenario=scenario,
        recipe=recipe,
        eval_limit=eval_limit,
        original_id=original.id,
        weights_id=original.sha256,
        original=original.arrays,
        original_logits=logits["original"],
        retrained_logits=logits["retrained"],
        updates=models["recorded"].arrays if record else None,
        retrained=retrained.arrays if keep_retrained else None,
        retrained_from="pretrained" if recipe.pretrained else "fresh",
    )
    return CachedScenario(packed, {role: model.report for role, model in models.items()})
