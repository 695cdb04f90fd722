"""The YAML file a user writes: read, checked at once and as a whole, with the line of every mistake."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchmarks.errors import BenchmarkError, suggest
from benchmarks.methods import Method, methods
from benchmarks.scenarios import Scenario
from benchmarks.training import Recipe, published_recipe
from search.errors import PlanError
from search.objectives import objective
from search.pruning import Rule
from search.spaces import search_space

T = TypeVar("T")
PLANS = Path(__file__).parent / "plans"  # those that ship with the package


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Training(_Section):
    """Departures from the published recipe; whatever is missing stays as published."""

    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    max_lr: float | None = Field(None, gt=0)


class Search(_Section):
    """The search: on which forget sets, how many trials of each method, for what.

    Attributes:
        presets: Try published values first.
        pruner: Ends hopeless trials of methods that report their steps: none, median or halving.
        space: Method -> hyper-parameter -> `[low, high]` to vary it, or one value to hold it fixed.
    """

    forget: tuple[str, ...]
    trials: int = Field(250, ge=1)
    objective: str = "gap"
    seed: int = Field(0, ge=0)
    presets: bool = True
    pruner: Rule = "none"
    space: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("forget", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]


class Benchmark(_Section):
    """The benchmark: forget sets, seeds, and methods to run beside with their published values.

    Attributes:
        presets: Which published values of each searched method to run: those nearest to the plan's model
            and task, all that were published for the task, or none.
    """

    forget: tuple[str, ...]
    seeds: int = Field(10, ge=1)
    beside: tuple[str, ...] = ("finetune",)
    presets: Literal["nearest", "all", "none"] = "nearest"

    @field_validator("forget", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]


class Resources(_Section):
    """What one trial may use; `workers` at once, as many as fit if it is missing."""

    workers: int | None = Field(None, ge=1)
    cpus_per_trial: int = Field(1, ge=1)
    gpus_per_trial: float | str = "auto"


class Plan(_Section):
    """A whole experiment. See `docs/plans.md` for every key.

    Attributes:
        methods: Names; in the file `all` stands for every method that the task has.
        seed: Seed of the original and the retrained models.
        eval_limit: Evaluate at most so many images of each split, a fixed random choice.
        precision: float32, or bfloat16: methods run under autocast.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    dataset: str
    model: str
    task: str
    methods: tuple[str, ...] = Field(min_length=1)
    seed: int = Field(0, ge=0)
    eval_limit: int | None = Field(None, ge=100)
    precision: Literal["float32", "bfloat16"] = "float32"
    training: Training = Training()
    search: Search
    benchmark: Benchmark | None = None
    resources: Resources = Resources()

    @model_validator(mode="before")
    @classmethod
    def _all_methods(cls, content: Any) -> Any:
        if not isinstance(content, dict) or content.get("methods") != "all":
            return content
        every = [m.name for m in methods if content.get("task") in m.tasks and not m.reference]
        return {**content, "methods": every}

    def scenario(self, forget: str) -> Scenario:
        """The scenario of one forget set."""
        return Scenario(self.dataset, self.model, self.task, forget, self.seed)

    def searched(self) -> list[Scenario]:
        """The scenarios to search on."""
        return [self.scenario(forget) for forget in self.search.forget]

    def benchmarked(self) -> list[Scenario]:
        """The scenarios to benchmark on."""
        return [self.scenario(forget) for forget in self.benchmark.forget] if self.benchmark else []

    def algorithms(self) -> list[Method]:
        """The methods to search."""
        return [methods.get(name) for name in self.methods]

    def needs_recording(self) -> bool:
        """Whether any of its methods needs a training that recorded its steps."""
        beside = self.benchmark.beside if self.benchmark else ()
        return any(methods.get(name).needs_recording for name in (*self.methods, *beside))

    def recipe(self) -> Recipe:
        """How the models are trained."""
        changes = {k: v for k, v in self.training.model_dump().items() if v is not None}
        return replace(published_recipe(self.model, self.dataset), **changes)

    def run_id(self, stage: str, **more: Any) -> str:
        """Names a run; the same plan gives the same name, so that the same command resumes it.

        What only makes a run longer (trials, methods, forget sets, seeds) does not change its name.
        """
        parts = {
            "scenario": [self.dataset, self.model, self.task, self.seed],
            "recipe": self.training.model_dump(),
            "eval_limit": self.eval_limit,
            "precision": self.precision,
            "search": self.search.model_dump(exclude={"trials", "forget"}),
            **more,
        }
        text = json.dumps(parts, sort_keys=True, default=str)
        return f"{self.name}-{stage}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def load(plan: str | Path) -> Plan:
    """A plan by its file, or by the name of one that ships with the package.

    Raises:
        PlanError: one line with file, line, reason and what is valid.
    """
    path = Path(plan)
    shipped = {p.stem: p for p in PLANS.glob("*.yaml")}
    if not path.exists():
        if str(plan) not in shipped:
            raise PlanError(f"there is no plan '{plan}': no such file, and {suggest(str(plan), shipped)}")
        path = shipped[str(plan)]
    try:
        return parse(path.read_text(), str(plan))
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path} cannot be read: {error}") from error


def parse(text: str, name: str = "plan") -> Plan:
    """A plan from YAML text; `name` is what messages call it.

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

    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise PlanError(f"{at(*first['loc'])}: {_explain(first)}") from None
    _check(plan, at)
    return plan


def _check(plan: Plan, at: Callable[..., str]) -> None:
    """Everything that names refer to exists, and fits together."""

    def checked(where: tuple[str | int, ...], call: Callable[[], T]) -> T:
        try:
            return call()
        except BenchmarkError as error:
            raise PlanError(f"{at(*where)}: {error}") from None

    from benchmarks.datasets import datasets
    from benchmarks.errors import UnknownName
    from benchmarks.models import models
    from benchmarks.scenarios import TASKS

    checked(("dataset",), lambda: datasets.get(plan.dataset))
    checked(("model",), lambda: models.get(plan.model))
    if plan.task not in TASKS:
        raise PlanError(f"{at('task')}: {UnknownName('task', plan.task, TASKS)}")
    for i, forget in enumerate(plan.search.forget):
        checked(("search", "forget", i), lambda f=forget: plan.scenario(f))  # type: ignore[misc]
    for i, name in enumerate(plan.methods):
        method = checked(("methods", i), lambda n=name: methods.get(n))  # type: ignore[misc]
        checked(("methods", i), lambda m=method: m.check_task(plan.task))  # type: ignore[misc]
        if method.reference:
            raise PlanError(
                f"{at('methods', i)}: '{name}' has nothing to search; it runs in every benchmark anyway"
            )
        space = plan.search.space.get(name, {})
        checked(
            ("search", "space", name),
            lambda m=method, s=space: search_space(m.Params, s),  # type: ignore[misc]
        )
    wanted = checked(("search", "objective"), lambda: objective(plan.search.objective))
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
    if plan.benchmark:
        for i, forget in enumerate(plan.benchmark.forget):
            checked(("benchmark", "forget", i), lambda f=forget: plan.scenario(f))  # type: ignore[misc]
        for i, name in enumerate(plan.benchmark.beside):
            method = checked(("benchmark", "beside", i), lambda n=name: methods.get(n))  # type: ignore[misc]
            checked(("benchmark", "beside", i), lambda m=method: m.check_task(plan.task))  # type: ignore[misc]


def _lines(node: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], int]]:
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
        sections: dict[str, type[_Section]] = {
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
        return f"'{where}' may hold letters, digits, '.', '_' and '-', at most 64 of them"
    given = error.get("input")
    return f"'{where}' is {given!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
