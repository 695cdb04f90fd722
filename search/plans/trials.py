"""The trials of a plan: the studies that its search draws from, and all that its benchmark runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from analysis.results.layout import Row
from benchmarks.methods import Method
from benchmarks.scenarios.scenario import Scenario
from benchmarks.trial.course import POINTS
from search.plans import published
from search.plans.entries import Entry
from search.plans.identity import Identity, code_id, data_id
from search.plans.plan import Plan
from search.plans.repetitions import repetitions
from search.studies.assignments import Assignment
from search.studies.pruning import pruner
from search.studies.study import SEEDS_PER_STUDY, Study


def study_of(
    plan: Plan, identity: Identity, method: Method, scenario: Scenario, done: Sequence[Row]
) -> Study:
    """The search of one method on one scenario, after the trials of it that are done."""
    first_seed = SEEDS_PER_STUDY * (plan.search.seed + 1)
    template = Assignment(
        run_id=identity.study_id(method.name),
        number=0,
        scenario=scenario,
        method=method.name,
        params={},
        seed=first_seed,
        shared_seed=first_seed,
        kind="search",
        regime="tuned",
        tuned_on=scenario.forget,
        data_id=data_id(plan),
        code_id=code_id(plan, method),
        scale=plan.scale,
        evaluate=plan.search.evaluate,
        precision=plan.precision,
        prunable=plan.search.pruner != "none",
        metrics=plan.search_metrics(),
        objective=plan.objective(),
        repeats=plan.search.repeats,
        sampler=plan.search.sampler,
    )
    return Study(
        f"{method.name} · {scenario.dataset} {scenario.task} {scenario.forget}",
        method,
        plan.space(method),
        plan.objective(),
        trials=plan.search.trials,
        seed=plan.search.seed,
        template=template,
        origins={preset.name: published.origin(method, preset.name, plan) for preset in method.presets},
        done=done,
        starts=plan.starts(method.name).on(scenario.forget),
        presets=plan.search.presets,
        pruner=pruner(plan.search.pruner),
        sampler=plan.search.sampler,
        stop=plan.search.stop,
    )


def benchmark_trials(plan: Plan, identity: Identity, entries: Sequence[Entry]) -> Iterator[Assignment]:
    """The trials of a benchmark, one of each entry before the next repetition."""
    measured = plan.benchmark_metrics()
    data = data_id(plan)
    codes = {entry.method.name: code_id(plan, entry.method, measured) for entry in entries}
    for number, (repetition, entry) in enumerate(itertools.product(repetitions(plan), entries)):
        scenario = repetition.scenario
        yield Assignment(
            run_id=identity.study_id(entry.name),
            number=number,
            scenario=scenario,
            method=entry.method.name,
            params=entry.params,
            seed=repetition.seed,
            kind="reference" if entry.method.reference else "benchmark",
            regime=entry.regime_on(scenario.forget),
            preset=entry.preset,
            preset_paper=entry.preset_paper,
            preset_differs=entry.preset_differs,
            tuned_on=" | ".join(entry.tuned_on),
            data_id=data,
            code_id=codes[entry.method.name],
            scale=plan.scale,
            held_out="test",
            metrics=measured,
            objective=plan.objective(),
            details=True,
            points=POINTS,
            precision=plan.precision,
            tag=f"{entry.tag}.{repetition.tag}",
        )
