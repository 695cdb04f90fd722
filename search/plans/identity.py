"""The identity of a run: everything that decides its rows, by content and never by a path or a spelling.

A run's name ends in a digest of the properties of all of its trials: the data, the models, the recipe, the
metrics. The properties of a single method (its space or its values, and the source of a user-defined method)
give its rows a suffix, `RUN/STUDY`, so that adding or editing a method does not affect the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from optuna.distributions import FloatDistribution, IntDistribution

from benchmarks.datasets import datasets, load
from benchmarks.methods import Method
from benchmarks.metrics import benchmark_metrics, default_metrics, metrics
from benchmarks.models import models
from benchmarks.sources import source_digest
from benchmarks.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from search.plans.entries import Entry
    from search.plans.plan import Plan


_LEFT_OUT = {"evaluate": "all", "references": 1}  # the values of keys that the record of a run lacks


@dataclass(frozen=True)
class Identity:
    """The properties that decide the rows of a run.

    Attributes:
        stage: search, benchmark or sensitivity.
        run_id: The name of the run.
        shared: The properties of all of its trials, as plain values.
        studies: The properties of each method, or of each line of a benchmark, as plain values.
    """

    stage: str
    run_id: str
    shared: Mapping[str, Any]
    studies: Mapping[str, Mapping[str, Any]]

    def study_id(self, name: str) -> str:
        """The run_id in the rows of a study."""
        return f"{self.run_id}/{_digest([name, self.studies[name]])}"

    def news(self, earlier: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """The differences from the records of earlier runs, a line each.

        Args:
            earlier: Records, see `record`, of runs with the same plan name and stage, the newest last.
        """
        before = next((r for r in reversed(earlier) if r["run_id"] == self.run_id), None)
        if before is None:
            if earlier:
                changes = "; ".join(_differences(earlier[-1]["identity"], self.shared))
                yield f"run {self.run_id} is new; it differs from {earlier[-1]['run_id']}: {changes}"
            return
        for name, parts in self.studies.items():
            known = before["studies"].get(name)
            if known is not None and _digest(known) != _digest(parts):
                changes = "; ".join(_differences(known, parts))
                yield f"{name} has changed: {changes}; its trials are kept apart in run {self.run_id}"

    def record(self) -> dict[str, Any]:
        """The record to store next to the results."""
        ids = {name: self.study_id(name) for name in self.studies}
        return {
            "run_id": self.run_id,
            "identity": dict(self.shared),
            "studies": dict(self.studies),
            "ids": ids,
        }


def search_identity(plan: Plan) -> Identity:
    """The identity of a plan's search.

    Raises:
        DataError: if the data set or the checkpoint cannot be read.
    """
    sampling = plan.search.model_dump(include={"seed", "presets", "pruner"})
    sampling["objective"] = plan.search.objective.spec
    sampling |= plan.search.model_dump(include={"sampler", "repeats"}, exclude_defaults=True)
    studies = {method.name: _search_parts(plan, method) for method in plan.algorithms()}
    return _identity(plan, "search", studies, sampling=sampling)


def benchmark_identity(plan: Plan, entries: Sequence[Entry]) -> Identity:
    """The identity of a plan's benchmark, with a study for every line of its result table."""
    studies = {
        e.name: {"parameters": asdict(e.values), "code": source_digest(type(e.method))} for e in entries
    }
    code = _shared_code(plan, plan.benchmark_metrics())
    return _identity(plan, "benchmark", studies, metrics=plan.named_metrics(), metrics_code=code)


def run_id(plan: Plan, stage: Literal["search", "benchmark"]) -> str:
    """The name of the run of a stage.

    Raises:
        DataError: if the data set or the checkpoint cannot be read.
    """
    return (search_identity(plan) if stage == "search" else benchmark_identity(plan, ())).run_id


def sensitivity_identity(plan: Plan, centres: Mapping[str, tuple[Method, Mapping[str, Any]]]) -> Identity:
    """The identity of trials around centres.

    The points around a centre are not part of it, so that further points join the existing ones.

    Args:
        centres: Name of a study -> its method and all hyper-parameters of its centre.
    """
    studies = {
        name: {"centre": dict(centre), "code": source_digest(type(method))}
        for name, (method, centre) in centres.items()
    }
    code = _shared_code(plan, benchmark_metrics())
    more = {} if code == _shared_code(plan) else {"metrics_code": code}
    return _identity(plan, "sensitivity", studies, **more)


def _identity(plan: Plan, stage: str, studies: Mapping[str, Mapping[str, Any]], **more: Any) -> Identity:
    if stage != "benchmark" and plan.evaluated_images().fewer:
        more |= {"evaluate": "auto"}
    if plan.reference_count() != 1:
        more |= {"references": plan.reference_count()}
    shared, particular = json.loads(json.dumps([{**_shared(plan), **more}, studies]))
    return Identity(stage, f"{plan.name}-{stage}-{_digest(shared)}", shared, particular)


def data_id(plan: Plan) -> str:
    """The fingerprint of a plan's images."""
    return load(plan.dataset).fingerprint


def code_id(plan: Plan, method: Method, measured: Sequence[str] | None = None) -> str:
    """A digest of the user-defined code in a trial; "" if all code is from this package.

    Args:
        measured: Names of metrics; by default those that are always measured.
    """
    digests = [*_shared_code(plan, measured).values(), source_digest(type(method))]
    return _digest(sorted(filter(None, digests))) if any(digests) else ""


def _shared(plan: Plan) -> dict[str, Any]:
    return {
        "dataset": plan.dataset,
        "images": data_id(plan),
        "model": plan.model,
        "task": plan.task,
        "seed": plan.seed,
        "checkpoint": _weights_id(plan.original()),
        "retrained": _weights_id(plan.retrained_model()),
        "recipe": plan.recipe().identity,
        "eval_limit": plan.eval_limit,
        "precision": plan.precision,
        "code": _shared_code(plan),
    }


def _weights_id(given: Checkpoint | None) -> str | None:
    return None if given is None else given.id


def _shared_code(plan: Plan, measured: Sequence[str] | None = None) -> dict[str, str]:
    """Digests of the user-defined data set, network and metrics."""
    names = default_metrics() if measured is None else measured
    code = {plan.model: models.get(plan.model).build} | {name: metrics.get(name).compute for name in names}
    digests = {plan.dataset: datasets.get(plan.dataset).code}
    digests |= {name: source_digest(part) for name, part in code.items()}
    return {name: digest for name, digest in digests.items() if digest}


def _search_parts(plan: Plan, method: Method) -> dict[str, Any]:
    space = plan.space(method)
    ranges = {
        name: [d.low, d.high]
        for name, d in space.varied.items()
        if isinstance(d, (FloatDistribution, IntDistribution))
    }
    parts = {"ranges": ranges, "fixed": dict(space.fixed), "code": source_digest(type(method))}
    more = {"choices": space.choices, "start": plan.starts(method.name).identity}
    return parts | {name: part for name, part in more.items() if part}


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """One phrase for each value that has changed: `recipe epochs 2 (before 8)`."""
    old, new = ({**_LEFT_OUT, **dict(_flat(parts))} for parts in (before, now))
    for name in {**new, **old}:
        if old.get(name) != new.get(name):
            yield f"{name} {_text(new.get(name))} (before {_text(old.get(name))})"


def _flat(parts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in parts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", value


def _text(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
