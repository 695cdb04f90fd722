"""A plan in its canonical form: the same for every spelling, and without duplicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.datasets import datasets
from benchmarks.methods import methods
from benchmarks.models import models
from benchmarks.scenarios.forget_files import PREFIX, is_file, path_of
from search.plans.plan import Plan
from search.studies.spaces import departures

Tell = Callable[[str], None]


def typed(plan: Plan) -> Plan:
    """The plan with registered names, and with typed hyper-parameters where they depart from the declared.

    Raises:
        BenchmarkError: for an unknown name or an invalid value.
    """
    spaces = {
        name: departures(methods.get(name).Params, overrides) for name, overrides in plan.search.space.items()
    }
    space = {name: spaces[name] for name in sorted(spaces) if spaces[name]}
    return plan.model_copy(
        update={
            "dataset": datasets.get(plan.dataset).name,
            "model": models.get(plan.model).name,
            "search": plan.search.model_copy(update={"space": space}),
        }
    )


def beside(plan: Plan, folder: Path) -> Plan:
    """The plan with the paths of its image lists joined to a folder."""

    def relative(sets: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{PREFIX}{folder / path_of(text)}" if is_file(text) else text for text in sets)

    sections = {"search": plan.search, "benchmark": plan.benchmark}
    update = {
        name: section.model_copy(update={"forget": relative(section.forget)})
        for name, section in sections.items()
        if section
    }
    return plan.model_copy(update=update)


def distinct(plan: Plan, tell: Tell) -> Plan:
    """The plan without duplicates of methods, forget sets and metrics.

    Forget sets get the names that their scenarios have.

    Args:
        tell: Called with a line for each duplicate.

    Raises:
        BenchmarkError: for an invalid forget set.
    """

    def forget(text: str) -> str:
        return plan.scenario(text).forget

    changes: dict[str, Any] = {
        "methods": _once("methods", plan.methods, str, tell),
        "search": plan.search.model_copy(
            update={"forget": _once("search.forget", plan.search.forget, forget, tell)}
        ),
    }
    if plan.benchmark:
        b = plan.benchmark
        update = {
            "forget": _once("benchmark.forget", b.forget, forget, tell),
            "beside": _once("benchmark.beside", b.beside, str, tell),
            "metrics": _once("benchmark.metrics", b.metrics, str, tell),
        }
        changes["benchmark"] = b.model_copy(update=update)
    sets = (*plan.search.forget, *(plan.benchmark.forget if plan.benchmark else ()))
    images = {s.forget: s.images for s in map(plan.scenario, sets) if s.images}
    return plan.model_copy(update=changes).with_images(images)


def _once(key: str, names: Sequence[str], form: Callable[[str], str], tell: Tell) -> tuple[str, ...]:
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(form(name), []).append(name)
    for canonical, spelt in spellings.items():
        different = " and ".join(f"'{name}'" for name in dict.fromkeys(spelt))
        if len(set(spelt)) > 1:
            tell(f"'{key}' names {different}, which are the same, '{canonical}'; it runs once")
        elif len(spelt) > 1:
            tell(f"'{key}' names {different} {len(spelt)} times; it runs once")
    return tuple(spellings)
