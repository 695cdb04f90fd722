"""The hyper-parameters to apply a method with: from a search, a trial or a paper, declared, or given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.results.layout import Row
from benchmarks.errors import UnknownName
from benchmarks.hyperparameters import build, declared, number
from benchmarks.presets import PAPERS
from search.errors import PlanError, RunError
from search.plans import published
from search.plans.entries import Entry
from search.plans.identity import search_identity
from search.results.writer import finished_trials
from search.studies.objectives import best

if TYPE_CHECKING:
    from benchmarks.methods import Method
    from search.plans.plan import Plan

_TRIAL, _PRESET = "trial:", "preset:"
_KINDS = ("best", "published", "default", "preset:NAME", "trial:ID", "NAME=VALUE,...")


@dataclass(frozen=True)
class Chosen:
    """Hyper-parameters and their source.

    Attributes:
        values: All hyper-parameters.
        source: best, trial, published, default or given.
        phrase: The source in words: "the best of 60 trials of the search".
        details: The source as plain values, for a record.
    """

    values: dict[str, Any]
    source: str
    phrase: str
    details: dict[str, Any] = field(default_factory=dict)


def chosen(
    plan: Plan,
    method: Method,
    forget: str,
    params: str | Mapping[str, Any] | None,
    results: Path | str | None,
) -> Chosen:
    """The hyper-parameters that `params` names.

    Args:
        forget: The forget set for which they are used, by its scenario's name.
        params: `best` (of the plan's search in `results`), `published` (the values that a benchmark of the
            plan would run), `default`, `preset:NAME`, `trial:ID`, or values: `NAME=VALUE,...` or a mapping;
            the others have their defaults. None: the best if there is a search, otherwise the published
            values, otherwise the defaults.
        results: The location of searches; None if there are none.

    Raises:
        PlanError, UnknownName, InvalidParameters: for invalid `params`.
        RunError: for a search or a trial that does not exist.
    """
    if params is None:
        return _best(plan, method, forget, results) or _published(plan, method) or _default(method)
    if isinstance(params, Mapping):
        return _given(method, params)
    if params == "best":
        searched = _best(plan, method, forget, results)
        if searched is None:
            raise RunError(
                f"no complete trial in {results} is of plan '{plan.name}', '{method.name}' on {forget}; run "
                "`unlearn search` with this plan first, or take --params published, default or NAME=VALUE"
            )
        return searched
    if params == "published":
        values = _published(plan, method)
        if values is None:
            raise PlanError(
                f"no values of '{method.name}' are published for this plan's task; take --params default, "
                f"NAME=VALUE or preset:NAME (`unlearn list presets`)"
            )
        return values
    if params == "default":
        return _default(method)
    if params.startswith(_PRESET):
        preset = method.preset(params.removeprefix(_PRESET))
        return _of_entry(published.entry(method, preset, plan))
    if params.startswith(_TRIAL):
        return of_trial(method, trial(plan, method, forget, params, results))
    if "=" in params:
        return _given(method, _pairs(params))
    raise UnknownName("source of parameters", params, _KINDS)


def names_trial(params: object) -> bool:
    """Whether `params` names a trial."""
    return isinstance(params, str) and params.startswith(_TRIAL)


def trial(plan: Plan, method: Method, forget: str | None, params: str, results: Path | str | None) -> Row:
    """The row of `trial:ID`; a number is a trial of the plan's search on the forget set.

    Raises:
        RunError: if there is no such trial, or it is of another method.
    """
    wanted = params.removeprefix(_TRIAL)
    if wanted.isdecimal():
        if forget is None:
            raise PlanError(
                f"'{params}' is a trial of several searches; choose one with --forget, or use the whole ID"
            )
        row = next(
            (r for r in _searched(plan, method, forget, results) if str(r["trial_number"]) == wanted), None
        )
    else:
        run = wanted.partition("/")[0]
        trials = finished_trials(results, run) if results is not None else []
        row = next((r for r in trials if r["trial_id"] == wanted), None)
    if row is None:
        raise RunError(
            f"there is no trial '{wanted}' in {results}; its trials are named in the column trial_id"
        )
    if row["method"] != method.name:
        raise RunError(
            f"trial '{wanted}' is a trial of '{row['method']}'; apply that method, or choose another trial"
        )
    return row


def of_trial(method: Method, row: Row) -> Chosen:
    """The hyper-parameters of a trial."""
    details = {name: row[name] for name in ("trial_id", "run_id", "kind", "forget", "seed")}
    return Chosen(_values_of(method, row), "trial", f"the values of trial {row['trial_id']}", details)


def _best(plan: Plan, method: Method, forget: str, results: Path | str | None) -> Chosen | None:
    """The best trial of the search on this forget set, or on the only searched one."""
    sets = [scenario.forget for scenario in plan.searched()]
    searched = forget if forget in sets else sets[0] if len(sets) == 1 else None
    if searched is None or method not in plan.algorithms():
        return None
    rows = _searched(plan, method, searched, results)
    top = best(rows)
    if top is None:
        return None
    transferred = "" if searched == forget else f" on {searched}"
    details = {
        **{name: top[name] for name in ("trial_id", "run_id")},
        "trials": len(rows),
        "tuned_on": searched,
        "regime": "transferred" if transferred else "tuned",
        "gap_when_searched": top["gap"],
    }
    return Chosen(_values_of(method, top), "best", f"the best of {len(rows)} trials{transferred}", details)


def _searched(plan: Plan, method: Method, forget: str, results: Path | str | None) -> list[dict[str, Any]]:
    """The trials of a study of the plan's search."""
    if results is None or method not in plan.algorithms():
        return []
    identity = search_identity(plan)
    study = (identity.study_id(method.name), method.name, forget)
    rows = finished_trials(results, identity.run_id)
    return [row for row in rows if (row["run_id"], row["method"], row["forget"]) == study]


def _published(plan: Plan, method: Method) -> Chosen | None:
    entry = published.nearest(method, plan)
    return _of_entry(entry) if entry else None


def _of_entry(entry: Entry) -> Chosen:
    citation = PAPERS.get(entry.preset_paper, entry.preset_paper)
    other = f", for another {entry.preset_differs}" if entry.preset_differs else ""
    details = {
        "preset": entry.preset,
        "paper": entry.preset_paper,
        "citation": citation,
        "differs": entry.preset_differs,
    }
    phrase = f"published values (preset {entry.preset}{other})"
    return Chosen(asdict(entry.values), "published", phrase, details)


def _default(method: Method) -> Chosen:
    return Chosen(asdict(build(method.Params, {})), "default", "its declared defaults")


def _given(method: Method, values: Mapping[str, Any]) -> Chosen:
    given = asdict(build(method.Params, values))
    return Chosen(given, "given", "values given by hand", {"given": {name: given[name] for name in values}})


def _pairs(text: str) -> dict[str, Any]:
    """Values from `lr=1e-3,sigma=0.5`."""
    truth = {"true": True, "false": False, "none": None}
    pairs: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise PlanError(f"'{part}' in --params has no value; write NAME=VALUE, several joined by ','")
        pairs[name] = truth[value.lower()] if value.lower() in truth else number(value)
    return pairs


def _values_of(method: Method, row: Row) -> dict[str, Any]:
    """All hyper-parameters of a row; those that a later version declared have their defaults."""
    every = declared(method.Params)
    given = {p.name: row.get(f"param_{p.name}") for p in every}
    values = {p.name: given[p.name] for p in every if p.optional or given[p.name] is not None}
    return asdict(build(method.Params, values))
