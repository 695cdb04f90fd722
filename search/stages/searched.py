"""The searches of a plan in the results: their trials, their best, and whether they are finished."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from analysis.results.layout import Row
from benchmarks.hyperparameters import declared
from benchmarks.methods import Method
from benchmarks.scenarios.scenario import Scenario
from search.errors import RunError
from search.plans.identity import Identity, search_identity
from search.plans.plan import Plan
from search.results.writer import finished_trials
from search.stages.setting import Setting
from search.studies.objectives import best
from search.studies.study import stopped


def studies_of(plan: Plan) -> list[tuple[Method, Scenario]]:
    """The studies of a plan: every method on every scenario of its search."""
    return list(itertools.product(plan.algorithms(), plan.searched()))


def rows_of(identity: Identity, method: Method, scenario: Scenario, rows: Sequence[Row]) -> list[Row]:
    """The trials of one study of a search, among those of the whole run."""
    study = (identity.study_id(method.name), method.name, scenario.forget)
    return [row for row in rows if (row["run_id"], row["method"], row["forget"]) == study]


def best_parameters(
    setting: Setting, identity: Identity, method: Method, scenario: Scenario, searched: Sequence[Row]
) -> dict[str, Any] | None:
    """The parameters of the best complete trial of the plan's search; None if all of them failed.

    Raises:
        RunError: if there is no trial yet.
    """
    top = best_trial(setting, identity, method, scenario, searched)
    return top and parameters_of(method, top)


def best_trial(
    setting: Setting, identity: Identity, method: Method, scenario: Scenario, searched: Sequence[Row]
) -> Row | None:
    """The best complete trial of a study; None if all of its trials failed.

    Raises:
        RunError: if there is no trial yet.
    """
    rows = rows_of(identity, method, scenario, searched)
    if not rows:
        raise RunError(
            f"no trial of '{method.name}' on '{scenario.forget}' in {setting.results}; "
            "run `unlearn search` with this plan first"
        )
    return best(rows)


def parameters_of(method: Method, row: Row) -> dict[str, Any]:
    """All hyper-parameters of a trial."""
    return {p.name: row[f"param_{p.name}"] for p in declared(method.Params)}


def best_lines(setting: Setting) -> Iterator[str]:
    """A line for the best point of every study of this shard, and for values near an end of their range."""
    plan = setting.plan
    identity = search_identity(plan)
    rows = finished_trials(setting.results, identity.run_id)
    for method, scenario in setting.shard.take(studies_of(plan)):
        top = best_trial(setting, identity, method, scenario, rows)
        if top is None:
            yield f"every trial of {method.name} on {scenario.forget} failed"
            continue
        space = plan.space(method)
        shown = " ".join(f"{name}={_text(top[f'param_{name}'])}" for name in space.varied)
        names = ["objective"] if plan.objective().name == "weighted" else []
        names += ["gap"] if top["gap"] is not None else []
        figures = ", ".join(f"{name} {_text(top[name], '.2f')}" for name in names)
        yield f"best of {method.name} on {scenario.forget}: {figures}, {shown}"
        trials = rows_of(identity, method, scenario, rows)
        if stopped(trials, plan.search.stop):
            yield (
                f"{method.name} on {scenario.forget}: stopped after {len(trials)} of {plan.search.trials} "
                f"trials, because more would gain at most {_bound(trials):.2g} points (search.stop: "
                f"{plan.search.stop:g})"
            )
        for name, axis in space.ranges.items():
            if warning := axis.warning(name, float(top[f"param_{name}"])):
                yield f"{method.name} on {scenario.forget}: {warning}"


def _text(value: Any, spec: str = ".6g") -> str:
    return format(value, spec) if isinstance(value, float) else str(value)


def _bound(rows: Sequence[Row]) -> float:
    """The lowest regret bound of a study."""
    return min(float(row["regret_bound"]) for row in rows if row.get("regret_bound") is not None)


def require_finished(setting: Setting, identity: Identity, rows: Sequence[Row]) -> None:
    """Refuse to benchmark an unfinished search, whose drivers would disagree about the best parameters.

    Raises:
        RunError: names the studies with too few trials.
    """
    plan = setting.plan
    trials = {(m.name, s.forget): rows_of(identity, m, s, rows) for m, s in studies_of(plan)}
    counts = {study: len(done) for study, done in trials.items() if not _finished(plan, done)}
    short = [f"{m} on {f} has {n} of {plan.search.trials} trials" for (m, f), n in counts.items()]
    if short:
        least = min(counts.values())
        instead = f", or give --trials {least} to use the finished trials" if least else ""
        more = f" and {len(short) - 3} more" if len(short) > 3 else ""
        if _finished_on_all_images(setting):
            instead += ", or set 'search.evaluate: all' to use the search that evaluated all images"
        raise RunError(
            f"the search is not finished: {', '.join(short[:3])}{more}; "
            f"run `unlearn search` with this plan first (all its shards){instead}"
        )


def _finished_on_all_images(setting: Setting) -> bool:
    """Whether there is a finished search that differs from the plan's only in evaluating all images.

    Older versions always evaluated all images.
    """
    plan = setting.plan
    if not plan.evaluated_images().fewer:
        return False
    on_all = plan.with_all_images()
    identity = search_identity(on_all)
    rows = finished_trials(setting.results, identity.run_id)
    return all(_finished(plan, rows_of(identity, m, s, rows)) for m, s in studies_of(on_all))


def _finished(plan: Plan, rows: Sequence[Row]) -> bool:
    """Whether a study has all of its trials, or has stopped early."""
    return len(rows) >= plan.search.trials or stopped(rows, plan.search.stop)
