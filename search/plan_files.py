"""The YAML file a user writes: read, checked at once and as a whole, with the line of every mistake."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from benchmarks.errors import BenchmarkError, UnknownName, suggest
from benchmarks.methods import methods
from benchmarks.metrics import metrics
from cluster.isolation import importable
from search.errors import PlanError
from search.objectives import objective
from search.plan import Benchmark, Plan, Resources, Search, Section, Training
from search.scaling import scaled
from search.spaces import search_space

T = TypeVar("T")
PLANS = Path(__file__).parent / "plans"  # those that ship with the package
Place = tuple[str | int, ...]
_CODE = "import:"  # names that stand for code; looking one up runs it


def shipped() -> dict[str, Path]:
    """The plans that ship with the package, by name."""
    return {path.stem: path for path in sorted(PLANS.glob("*.yaml"))}


def source(plan: str | Path) -> Path:
    """The file of a plan: the one of that path, or one that ships with the package.

    Raises:
        PlanError: if there is neither.
    """
    path = Path(plan)
    if path.exists():
        return path
    if str(plan) not in shipped():
        raise PlanError(f"there is no plan '{plan}': no such file, and {suggest(str(plan), shipped())}")
    return shipped()[str(plan)]


def imports_code(plan: Plan) -> bool:
    """Whether a plan names a module of the user's, which workers need to find too."""
    return plan.model.startswith(_CODE)


def load(plan: str | Path, scale: float | None = None, allow_code: bool = False) -> list[Plan]:
    """The plans of a file, or of one that ships with the package.

    A file that lists several data sets or models stands for a plan for each pair of them.

    Args:
        scale: Run this share of the epochs, images, trials, seeds and steps, in place of the file's `scale`.
        allow_code: Let the plan import a module that it names (`import:`), which runs the code in it.

    Raises:
        PlanError: one line with file, line, reason and what is valid.
    """
    path = source(plan)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path} cannot be read: {error}") from error
    return parse(text, str(plan), scale, allow_code, path.parent)


def parse(
    text: str,
    name: str = "plan",
    scale: float | None = None,
    allow_code: bool = False,
    folder: Path | None = None,
) -> list[Plan]:
    """Plans from YAML text; `name` is what messages call it, the rest is as for `load`.

    Args:
        folder: Where modules that the plan names may lie too, if it may import any.

    Raises:
        PlanError: as `load` does.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise PlanError(f"{name}{line}: not valid YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(content, dict):
        raise PlanError(f"{name}: a plan is a list of 'key: value' lines, beginning with 'name: ...'")
    lines = dict(_lines(root))

    def at(*place: str | int) -> str:
        while place and place not in lines:
            place = place[:-1]
        return f"{name}:{lines.get(place, 1)}"

    if scale is not None:
        content["scale"] = scale
    return [_plan(one, at, allow_code, folder) for one in _each(content)]


def _each(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan for each pair of a data set and a model, with a name of its own where there are several."""
    places = {
        key: content[key] if isinstance(content.get(key), list) else [content.get(key)]
        for key in ("dataset", "model")
    }
    for values in itertools.product(*places.values()):
        named = [str(value) for value, key in zip(values, places, strict=True) if len(places[key]) > 1]
        parts = [re.sub(r"[^A-Za-z0-9._-]", "-", part) for part in named]
        one = {key: value for key, value in zip(places, values, strict=True) if key in content}
        name = "-".join([str(content.get("name")), *parts])
        yield {**content, **one, **({"name": name} if parts and "name" in content else {})}


def _plan(content: Mapping[str, Any], at: Callable[..., str], allow_code: bool, folder: Path | None) -> Plan:
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        # A key that is misspelt is missing too, and its spelling is what helps
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        raise PlanError(f"{at(*first['loc'])}: {_explain(first)}") from None
    if imports_code(plan):
        if not allow_code:
            raise PlanError(
                f"{at('model')}: '{plan.model}' runs code of a module that the plan names; if you know and "
                "trust that module, add --allow-code"
            )
        importable([str(folder.resolve())] if folder else [])
    _check(plan, at)
    return _checked(at, ("scale",), lambda: scaled(plan)) if plan.scale < 1 else plan


def _checked(at: Callable[..., str], place: Place, call: Callable[[], T]) -> T:
    try:
        return call()
    except BenchmarkError as error:
        raise PlanError(f"{at(*place)}: {error}") from None


def _check(plan: Plan, at: Callable[..., str]) -> None:
    """Everything that names refer to exists, and fits together."""
    from benchmarks.datasets import datasets
    from benchmarks.models import models
    from benchmarks.scenarios import TASKS

    _checked(at, ("dataset",), lambda: datasets.get(plan.dataset))
    _checked(at, ("model",), lambda: models.get(plan.model))
    if plan.task not in TASKS:
        raise PlanError(f"{at('task')}: {UnknownName('task', plan.task, TASKS)}")
    if plan.checkpoint is not None and not Path(plan.checkpoint).is_file():
        raise PlanError(f"{at('checkpoint')}: there is no file '{plan.checkpoint}'")
    _check_search(plan, at)
    for i, forget in enumerate(plan.benchmark.forget if plan.benchmark else ()):
        _checked(at, ("benchmark", "forget", i), lambda f=forget: plan.scenario(f))  # type: ignore[misc]
    for i, name in enumerate(plan.benchmark.beside if plan.benchmark else ()):
        place = ("benchmark", "beside", i)
        method = _checked(at, place, lambda n=name: methods.get(n))  # type: ignore[misc]
        _checked(at, place, lambda m=method: m.check_task(plan.task))  # type: ignore[misc]
    for i, name in enumerate(plan.benchmark.metrics if plan.benchmark else ()):
        _checked(at, ("benchmark", "metrics", i), lambda n=name: metrics.get(n))  # type: ignore[misc]


def _check_search(plan: Plan, at: Callable[..., str]) -> None:
    for i, forget in enumerate(plan.search.forget):
        _checked(at, ("search", "forget", i), lambda f=forget: plan.scenario(f))  # type: ignore[misc]
    for i, name in enumerate(plan.methods):
        method = _checked(at, ("methods", i), lambda n=name: methods.get(n))  # type: ignore[misc]
        _checked(at, ("methods", i), lambda m=method: m.check_task(plan.task))  # type: ignore[misc]
        if method.reference:
            raise PlanError(
                f"{at('methods', i)}: '{name}' has nothing to search; it runs in every benchmark anyway"
            )
        if method.needs_recording and plan.checkpoint is not None:
            raise PlanError(
                f"{at('methods', i)}: '{name}' needs a training that recorded its steps, and the model of "
                "'checkpoint' was trained elsewhere; leave one of the two out"
            )
        space = plan.search.space.get(name, {})
        _checked(
            at,
            ("search", "space", name),
            lambda m=method, s=space: search_space(m.Params, s),  # type: ignore[misc]
        )
    wanted = _checked(at, ("search", "objective"), lambda: objective(plan.search.objective))
    if plan.search.pruner != "none" and len(wanted.parts) > 1:
        raise PlanError(
            f"{at('search', 'pruner')}: pruning compares one number, and objective '{wanted.name}' has "
            f"{len(wanted.parts)}; use 'objective: gap' or 'pruner: none'"
        )
    for name in plan.search.space:
        if name not in plan.methods:
            raise PlanError(
                f"{at('search', 'space', name)}: a space for '{name}', which is not among the methods; "
                f"{suggest(name, plan.methods)}"
            )


def _lines(node: Any, place: Place = ()) -> Iterator[tuple[Place, int]]:
    """Every place in a YAML document with its line, from 1."""
    if node is None:
        return
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            yield from (
                (deeper, line)
                for deeper, line in _lines(value, (*place, key.value))
                if deeper != (*place, key.value)
            )
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield from _lines(value, (*place, i))


def _explain(error: Any) -> str:
    """One line about the first thing that pydantic did not like."""
    place = [str(part) for part in error["loc"]]
    where = ".".join(place)
    if error["type"] == "extra_forbidden":
        sections: dict[str, type[Section]] = {
            "search": Search,
            "benchmark": Benchmark,
            "training": Training,
            "resources": Resources,
        }
        known = sections.get(place[0], Plan) if len(place) > 1 else Plan
        return f"unknown key '{place[-1]}'; {suggest(place[-1], known.model_fields)}"
    if error["type"] == "missing":
        return f"'{where}' is missing"
    if error["type"] == "string_pattern_mismatch":
        return f"'{where}' may hold letters, digits, '.', '_' and '-', at most 100 of them"
    given = error.get("input")
    return f"'{where}' is {given!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
