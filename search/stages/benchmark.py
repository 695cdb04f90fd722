"""The benchmark of a plan: the best parameters over forget sets and seeds, next to references."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.methods import methods
from search.engine.failures import only_failed
from search.errors import PlanError, RunError
from search.plans import published
from search.plans.entries import Entry, merged
from search.plans.identity import Identity, benchmark_identity, search_identity
from search.plans.trials import benchmark_trials
from search.results.writer import finished_trials
from search.stages.searched import best_parameters, require_finished
from search.stages.session import Session
from search.studies.assignments import FixedList


def benchmark(session: Session) -> Identity:
    """Run the best parameters over forget sets and seeds, with references and published values.

    Returns:
        The identity of the run.

    Raises:
        PlanError: if the plan has no benchmark.
        RunError: if the plan's search is not finished.
    """
    plan = session.plan
    if plan.benchmark is None:
        raise PlanError(f"plan '{plan.name}' has no 'benchmark:' section; add one with 'forget' and 'seeds'")
    entries = merged(_entries(session))
    if all(entry.method.reference for entry in entries):
        raise RunError(f"every trial of the search of plan '{plan.name}' failed, so there is nothing to run")
    identity = benchmark_identity(plan, entries)
    trials = list(benchmark_trials(plan, identity, entries))
    rounds = [trials[i : i + len(entries)] for i in range(0, len(trials), len(entries))]
    with session.open_results(identity.run_id, [trial.trial_id for trial in trials]) as results:
        shard_trials = [trial for batch in session.setting.shard.take(rounds) for trial in batch]
        work = FixedList("benchmark", shard_trials, results.rows())
        session.run(identity, [work], results, [trial.scenario for trial in shard_trials])
        for line in only_failed("benchmark", results.rows()):
            session.console.print(line)
    return identity


def _entries(session: Session) -> Iterator[Entry]:
    """The lines of a plan's benchmark: references, other methods, published values, tuned values."""
    plan = session.plan
    assert plan.benchmark is not None
    identity = search_identity(plan)
    rows = finished_trials(session.setting.results, identity.run_id)
    session.learn(rows)
    require_finished(session.setting, identity, rows)
    yield Entry(methods.get("original"), "", {})
    yield Entry(methods.get("retrain"), "", {})
    for name in plan.benchmark.beside:
        if name not in ("original", "retrain"):
            yield from published.beside(methods.get(name), plan)
    for method in plan.algorithms():
        yield from published.searched(method, plan)
        for scenario in plan.searched():
            params = best_parameters(session.setting, identity, method, scenario, rows)
            if params is None:
                session.console.print(f"{method.name}: every trial on {scenario.forget} failed; left out")
            else:
                yield Entry(method, "tuned", params, tuned_on=(scenario.forget,))
