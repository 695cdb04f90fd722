"""The published values that a plan's benchmark runs, as its entries."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.datasets import published_images
from benchmarks.methods import Method, Preset
from benchmarks.models import published_name
from benchmarks.presets import Experiment, published
from benchmarks.scenarios.scenario import method_task
from search.plans.entries import Entry
from search.plans.plan import Plan
from search.plans.scaling import reduced


def experiment(plan: Plan) -> Experiment:
    """The experiment of a plan, for which published values of its methods are looked up."""
    return Experiment(
        published_images(plan.dataset), published_name(plan.model), method_task(plan.task), plan.paper or ""
    )


def beside(method: Method, plan: Plan) -> list[Entry]:
    """The entries of a method that is not searched: with published values, or with its defaults."""
    return list(_wanted(method, plan, "nearest")) or [Entry(method, "default", {})]


def nearest(method: Method, plan: Plan) -> Entry | None:
    """The published values that a plan's benchmark would run first, also if it has no benchmark."""
    named = plan.benchmark.presets if plan.benchmark else "nearest"
    if not isinstance(named, str) and method.name in named:
        return entry(method, method.preset(named[method.name][0]), plan)
    preset = published(method.presets, experiment(plan))
    return entry(method, preset, plan) if preset else None


def entry(method: Method, preset: Preset, plan: Plan) -> Entry:
    """Published values as a plan of its scale runs them."""
    values = reduced(method, preset.values, plan.scale)
    paper, differs = origin(method, preset.name, plan)
    return Entry(method, "published", values, preset.name, paper, differs)


def searched(method: Method, plan: Plan) -> Iterator[Entry]:
    """The published values of a searched method, unless `beside` runs the nearest values already."""
    assert plan.benchmark is not None
    presets = plan.benchmark.presets
    rule = presets if isinstance(presets, str) else "nearest"
    if rule == "all" or method.name not in plan.benchmark.beside:
        yield from _wanted(method, plan, rule)


def origin(method: Method, preset: str, plan: Plan) -> tuple[str, str]:
    """The paper of a preset, and how its experiment differs from the plan's; empty without a preset."""
    if not preset:
        return "", ""
    values, planned = method.preset(preset), experiment(plan)
    return planned.paper if planned.paper in values.papers else values.paper, values.differs(planned)


def _wanted(method: Method, plan: Plan, rule: str) -> Iterator[Entry]:
    assert plan.benchmark is not None
    named = plan.benchmark.presets
    planned = experiment(plan)
    if not isinstance(named, str) and method.name in named:
        presets = [method.preset(name) for name in named[method.name]]
    elif rule == "all":
        presets = [preset for preset in method.presets if preset.task in ("*", planned.task)]
    else:
        near = published(method.presets, planned) if rule == "nearest" else None
        presets = [near] if near else []
    yield from (entry(method, preset, plan) for preset in presets)
