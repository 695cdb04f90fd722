"""The records that runs keep with their tables: the plan as it ran, and the planned numbers of trials."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from analysis.results.layout import DRIVER, RUN

FOLDER = "_runs"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FILE = re.compile(rf"{FOLDER}/(?P<run>[^/]+?){DRIVER}\.yaml", re.DOTALL)


@dataclass(frozen=True)
class Wanted:
    """A planned study of a run.

    Attributes:
        run_ids: The run_ids of its rows.
        forget: The forget sets; only a benchmark has several.
        trials: The planned number; None if unknown.
    """

    method: str
    run_ids: tuple[str, ...]
    forget: tuple[str, ...]
    trials: int | None


@dataclass(frozen=True)
class RunFile:
    """The newest record of a run; fields are empty if the record lacks them.

    Attributes:
        shards: The number of drivers that share the work.
        studies: In the order of the plan.
    """

    run: str
    plan: str
    stage: str
    dataset: str = ""
    model: str = ""
    task: str = ""
    version: str = ""
    shards: int = 1
    studies: tuple[Wanted, ...] = ()


def run_of(file: str) -> str:
    """The run of a record, from the file's name; empty for other files."""
    name = _FILE.fullmatch(file)
    return name["run"] if name else ""


def parts_of(run: str) -> tuple[str, str]:
    """The plan's name and the stage in a run's name; without them, the whole name and an empty stage."""
    named = RUN.fullmatch(run)
    return (named["plan"], named["stage"]) if named else (run, "")


def newest(files: Iterable[str]) -> dict[str, str]:
    """Run -> the file of its newest record, by the times in the names, which survive copying."""
    named = [(file, name) for file in files if (name := _FILE.fullmatch(file))]
    named.sort(key=lambda pair: (pair[1]["life"] or "", pair[0]))
    return {name["run"]: file for file, name in named}


def parsed(file: str, content: bytes) -> RunFile:
    """A record whose name is from `newest`; of a damaged or old one, only the parts of its name."""
    name = _FILE.fullmatch(file)
    assert name is not None
    plan, stage = parts_of(name["run"])
    try:
        record = yaml.load(content, _LOADER)
        studies = tuple(_studies(stage, record))
        planned = record["plan"]
        return RunFile(
            run=name["run"],
            plan=plan,
            stage=stage,
            **{key: str(planned[key]) for key in ("dataset", "model", "task")},
            version=str(record.get("version", "")),
            shards=int((name["shard"] or "1of1").partition("of")[2]),
            studies=studies,
        )
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return RunFile(name["run"], plan, stage)


def _studies(stage: str, record: Mapping[str, Any]) -> Iterator[Wanted]:
    plan, ids = record["plan"], {str(name): str(run_id) for name, run_id in record["ids"].items()}
    if stage == "search":
        for method in map(str, plan["methods"]):
            for forget in map(str, plan["search"]["forget"]):
                if method in ids:
                    yield Wanted(method, (ids[method],), (forget,), int(plan["search"]["trials"]))
    elif stage == "benchmark":
        forget_sets = tuple(map(str, plan["benchmark"]["forget"]))
        each = len(forget_sets)
        for repeated in ("seeds", "draws", "originals"):
            each *= int(plan["benchmark"][repeated])
        lines: dict[str, list[str]] = {}
        for name, run_id in ids.items():
            lines.setdefault(name.partition(" (")[0], []).append(run_id)
        for method, run_ids in lines.items():
            yield Wanted(method, tuple(run_ids), forget_sets, each * len(run_ids))
    elif stage == "sensitivity":
        trials = record.get("trials", {})
        for name, run_id in ids.items():
            method, _, forget = name.partition(" on ")
            yield Wanted(method, (run_id,), (forget,), int(trials[name]) if name in trials else None)
