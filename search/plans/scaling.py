"""A plan at a small scale: all stages from training to report with a share of the work, for a laptop.

The figures are not results, and are labelled: the name of the data set has its number of images
(`cifar100@500`), the name of the network the size of its images (`vit_b16@16`), and the column `scale` the
share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.datasets import DataSource, datasets
from benchmarks.hyperparameters import Hyperparameter, Scalar, declared
from benchmarks.methods import Method, methods
from benchmarks.models import models
from benchmarks.scenarios.scenario import OF, Scenario, forgets_images
from search.plans.plan import Plan
from search.studies.spaces import CHOICES

IMAGES_PER_CLASS = 5  # at least: four for training, one for validation
_LEAST_EVALUATED = 100  # of each split, the minimum of eval_limit too
_LEAST = {
    "epochs": 2,
    "trials": 3,
    "seeds": 2,
    "draws": 2,
    "originals": 2,
    "forget_sets": 2,
    "forget_count": 10,
}
_SIDE = 16  # of the images of networks, in pixels, or the smallest side that a network takes
_SMALLER = {"vgg11_133m": "vgg11"}  # the same without ImageNet's head, nine tenths of the weights


def scaled(plan: Plan) -> Plan:
    """A plan with its `scale` of the images, epochs, trials, repetitions, forget sets and methods' steps."""
    share = plan.scale
    source = datasets.get(plan.dataset)
    small = _images(source, share)
    training: dict[str, Any] = {"epochs": _part(plan.recipe().epochs, share, "epochs")}
    model = _model(plan.model, source)
    evaluated = max(_LEAST_EVALUATED, math.ceil(share * source.test_size))
    if plan.recipe().pretrained:
        training |= {"pretrained": False, "original": "trained"}  # published weights need larger images

    def forget(sets: tuple[str, ...]) -> tuple[str, ...]:
        if not forgets_images(plan.task):
            return sets
        kept = small.train_size / source.train_size
        return tuple(_fewer(plan.scenario(text), text, kept) for text in sets)

    space = {name: _space(plan, methods.get(name), share) for name in plan.methods}
    changes: dict[str, Any] = {
        "dataset": small.name,
        "model": model,
        "eval_limit": min(evaluated, plan.eval_limit or evaluated),
        "references": 1 if plan.references == "auto" else min(2, plan.references),
        "training": plan.training.model_copy(update=training),
        "search": plan.search.model_copy(
            update={
                "forget": forget(plan.search.forget),
                "trials": _part(plan.search.trials, share, "trials"),
                "space": {name: overrides for name, overrides in space.items() if overrides},
            }
        ),
    }
    if plan.benchmark:
        changes["benchmark"] = plan.benchmark.model_copy(
            update={
                "forget": forget(_some(plan)),
                **{
                    name: _part(getattr(plan.benchmark, name), share, name)
                    for name in ("seeds", "draws", "originals")
                },
            }
        )
    return plan.model_copy(update=changes)


def reduced(method: Method, values: Mapping[str, Scalar], share: float) -> dict[str, Scalar]:
    """Published values with a share of their work, also for work at the method's default."""
    if share == 1:
        return dict(values)
    work = {p.name: values.get(p.name, p.default) for p in declared(method.Params) if p.work}
    return {**values, **{name: _steps(value, share) for name, value in work.items() if value is not None}}


def _images(source: DataSource, share: float) -> DataSource:
    least = min(IMAGES_PER_CLASS * len(source.classes), source.train_size)
    whole = source.name.partition("@")[0]
    return datasets.get(f"{whole}@{max(least, math.ceil(share * source.train_size))}")


def _model(name: str, source: DataSource) -> str:
    base = name.partition("@")[0]
    base = _SMALLER.get(base, base)
    side = max(models.get(base).min_size, _SIDE)
    return f"{base}@{side}" if side < models.get(name).input_size(source.image_size) else base


def _fewer(scenario: Scenario, text: str, kept: float) -> str:
    """A forget set of images or people, with a share of its size if that is a number."""
    if scenario.images:  # most of them are not among the remaining images
        return str(_part(len(scenario.images), kept, "forget_count"))
    # a few images have fewer people than 2 % of all
    forget = scenario.forget if scenario.task == "identities" else text
    count, of, classes = forget.partition(OF)
    return f"{_part(int(count), kept, 'forget_count')}{of}{classes}" if count.isdecimal() else text


def _some(plan: Plan) -> tuple[str, ...]:
    """The first forget sets of a benchmark, searched sets before the others."""
    assert plan.benchmark is not None
    searched = {scenario.forget for scenario in plan.searched()}
    sets: dict[str, str] = {}
    for text in plan.benchmark.forget:
        sets.setdefault(plan.scenario(text).forget, text)
    first = sorted(sets, key=lambda forget: forget not in searched)
    kept = first[: _part(len(sets), plan.scale, "forget_sets")]
    return tuple(text for forget, text in sets.items() if forget in kept)


def _space(plan: Plan, method: Method, share: float) -> dict[str, Any]:
    """The plan's overrides of a method's space, with a share of every number of steps."""
    overrides = dict(plan.search.space.get(method.name, {}))
    for p in declared(method.Params):
        if p.work and (p.default is not None or p.name in overrides):
            overrides[p.name] = _less(p, overrides.get(p.name), share)
    return overrides


def _less(p: Hyperparameter, wanted: Any, share: float) -> Any:
    if wanted is None:
        wanted = [p.low, p.high] if p.searched else p.default
    if isinstance(wanted, dict):
        fewer = sorted({_steps(value, share) for value in wanted[CHOICES]})
        return fewer[0] if len(fewer) == 1 else {CHOICES: fewer}
    if not isinstance(wanted, list):
        return _steps(wanted, share)
    low, high = (_steps(bound, share) for bound in wanted)
    return low if low == high else [low, high]


def _steps(value: Any, share: float) -> int:
    return math.ceil(share * float(value))


def _part(whole: int, share: float, what: str) -> int:
    return min(whole, max(_LEAST[what], math.ceil(share * whole)))
