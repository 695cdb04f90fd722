"""Exports the models of a plan: the original and the retrained ones, each with a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.engine.preparation import distinct, load_user_models, originals
from search.models.cards import described
from search.models.files import write_model
from search.version import package_version

if TYPE_CHECKING:
    from benchmarks.scenarios.roles import Role
    from benchmarks.scenarios.scenario import Scenario
    from benchmarks.training.cache import CachedModel
    from search.plans.plan import Plan


def write_models(plan: Plan, scenarios: Sequence[Scenario], folder: Path) -> list[Path]:
    """Write the trained models of some scenarios of a plan; they must be in the model cache.

    The files have the names of the model cache, so the same model is the same file. Weights have the names
    of the plan's checkpoint, if it has one; models of the user are not written.

    Returns:
        The files with weights; each has its card next to it.

    Raises:
        ResultsError: if the folder cannot be written.
    """
    import torch

    from benchmarks.training.models import original_model, retrained_model

    def silent(line: str) -> None:
        pass

    device, recipe = torch.device("cpu"), plan.recipe()
    user_models = load_user_models(plan.original(), plan.retrained_model(), scenarios, silent)
    files: list[Path] = []
    if user_models.original is None:
        for scenario in originals(scenarios):
            model = original_model(scenario, recipe, device, silent)
            files.append(_write(plan, "original", scenario, model, folder))
    if user_models.retrained is None:
        for step in distinct(step for scenario in scenarios for step in scenario.steps):
            for i in range(plan.reference_count()):
                model = retrained_model(step, recipe, device, silent, user_models.preprocessing, i)
                files.append(_write(plan, "retrained", step, model, folder))
    return files


def _write(plan: Plan, role: Role, scenario: Scenario, model: CachedModel, folder: Path) -> Path:
    from benchmarks.training.models import as_in_checkpoint

    checkpoint = plan.original()
    weights = as_in_checkpoint(scenario, checkpoint, model.state) if checkpoint else model.state
    path = folder / f"{model.id}.safetensors"
    write_model(path, weights, _card(plan, role, scenario, model))
    return path


def _card(plan: Plan, role: Role, scenario: Scenario, model: CachedModel) -> dict[str, Any]:
    """The origin and the figures of a model; an original model belongs to every forget set."""
    identity = described(plan, scenario)
    if role == "original":
        identity = {name: value for name, value in identity.items() if name not in ("task", "forget", "draw")}
    return {
        "model": role,
        "model_id": model.id,
        **identity,
        "recipe": asdict(plan.recipe()),
        "preprocessing": model.preprocessing and asdict(model.preprocessing),
        "trained": model.report,
        "versions": {"unlearnbench": package_version()},
    }
