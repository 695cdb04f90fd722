"""The stages of a plan: prepare, search, benchmark. Each one resumes from the table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.results.ranges import Range
from benchmarks.hyperparameters import declared
from benchmarks.methods import Method, methods
from benchmarks.scenarios.scenario import Scenario
from cluster.addresses import LOCAL
from cluster.connect import running, session
from cluster.errors import GpusGone
from cluster.slots import Slots
from cluster.tasks import first_machine
from search.display.progress import Progress
from search.display.screen import activity, patience
from search.engine import preparation, runner
from search.engine.failures import Failures, only_failed, require_success
from search.engine.placement import Learned
from search.errors import Interrupted, PlanError, RunError
from search.loggers import logging
from search.loggers.trials import Where
from search.plans import published
from search.plans.entries import Entry, merged
from search.plans.identity import (
    Identity,
    benchmark_identity,
    search_identity,
)
from search.plans.plan import Plan
from search.plans.trials import benchmark_trials, study_of
from search.results.records import records
from search.results.shards import WHOLE, Shard
from search.results.writer import Results, finished_trials
from search.studies.assignments import FixedList, Row, Source
from search.studies.objectives import best
from search.studies.spaces import search_space
from search.studies.study import stopped
from search.version import package_version

_RUNNING = (
    "search.engine.searcher",
    "search.engine.actors",
    "search.engine.stopping",
    "search.engine.watchdog",
)  # what trials take


@dataclass(frozen=True)
class Setting:
    """Where and how the stages of a plan run.

    Attributes:
        place: Where results go: a folder, or the address of a prefix in a bucket.
        shares: What is known of the memory that trials need on a GPU.
        console: What it prints are names and paths, so it needs `markup=False, emoji=False`.
        open: Closed by whoever made the setting; holds the Ray session once a stage has needed one.
        timeout: Seconds after which a stage starts no further trial.
        shard: The part of every stage's work that is done here.
        retry_failed: Whether trials that failed before are run again.
        shared: Scenarios that a stage has prepared, for the stages after it.
        trained: The models that were needed for them.
    """

    plan: Plan
    place: Path | str
    slots: Slots
    shares: Learned
    console: Console
    open: ExitStack
    timeout: float | None = None
    shard: Shard = WHOLE
    retry_failed: bool = False
    shared: preparation.Shared = field(default_factory=preparation.Shared)
    trained: list[preparation.Trained] = field(default_factory=list)


def prepare(setting: Setting, scenarios: Sequence[Scenario]) -> preparation.Shared:
    """The models of some scenarios, trained now or taken from the cache."""
    plan, known = setting.plan, setting.shared
    missing = [scenario for scenario in scenarios if scenario.key not in known.packed]
    console = setting.console
    own = preparation.NONE
    if missing and plan.original() is not None:
        with activity(console, "Reading your checkpoint"):
            own = preparation.own_models(plan.original(), plan.retrained_model(), missing, console.print)
    if not running():
        address = setting.slots.address
        with activity(console, "Starting Ray" if address == LOCAL else f"Joining the cluster at {address}"):
            setting.open.enter_context(session(setting.slots, _RUNNING))
        with patience(console, "Waiting for a machine of the cluster"):
            first_machine(setting.slots, console.print)
    if missing:

        def tell(model: preparation.Trained) -> None:
            setting.trained.append(model)
            console.print(str(model))

        def prepared() -> preparation.Shared:
            return preparation.prepare(
                missing,
                plan.recipe(),
                plan.eval_limit,
                setting.slots,
                tell,
                record=plan.needs_recording(),
                keep_retrained=plan.needs_retrained(),
                references=plan.reference_count(),
                console=console,
                own=own,
                warn=console.print,
            )

        before = len(setting.trained)
        try:
            new = prepared()
        except GpusGone:  # Ray counts a machine that died for some seconds more
            console.print("the machines with GPUs have left the cluster; preparing models without")
            del setting.trained[before:]
            new = prepared()
        known.packed.update(new.packed)
        known.data.update(new.data)
    return preparation.Shared(
        {scenario.key: known.packed[scenario.key] for scenario in scenarios}, known.data
    )


def search(setting: Setting) -> Identity:
    """Search every method of the plan on every scenario to search, all over the same workers.

    Returns:
        What run it was.
    """
    plan = setting.plan
    studies = studies_of(plan)
    names = [f"{method.name} {scenario.key}" for method, scenario in studies]
    identity = search_identity(plan)
    with open_results(setting, identity.run_id, names) as results:
        rows = results.rows()
        own = setting.shard.take(studies)
        sources = [
            study_of(plan, identity, method, scenario, rows_of(identity, method, scenario, rows))
            for method, scenario in own
        ]
        carry_out(setting, identity, sources, results, [scenario for _, scenario in own])
    return identity


def benchmark(setting: Setting) -> Identity:
    """The parameters found, over forget sets and seeds, beside references and published values.

    Returns:
        What run it was.

    Raises:
        PlanError: if the plan has no benchmark.
        RunError: if the plan's search is not finished.
    """
    plan = setting.plan
    if plan.benchmark is None:
        raise PlanError(f"plan '{plan.name}' has no 'benchmark:' section; add one with 'forget' and 'seeds'")
    entries = merged(_entries(setting))
    if all(entry.method.reference for entry in entries):
        raise RunError(f"every trial of the search of plan '{plan.name}' failed, so there is nothing to run")
    identity = benchmark_identity(plan, entries)
    trials = list(benchmark_trials(plan, identity, entries))
    rounds = [trials[i : i + len(entries)] for i in range(0, len(trials), len(entries))]
    with open_results(setting, identity.run_id, [trial.trial_id for trial in trials]) as results:
        own = [trial for one in setting.shard.take(rounds) for trial in one]
        work = FixedList("benchmark", own, results.rows())
        carry_out(setting, identity, [work], results, [trial.scenario for trial in own])
        for line in only_failed("benchmark", results.rows()):
            setting.console.print(line)
    return identity


def best_lines(setting: Setting) -> Iterator[str]:
    """The best point of every study of this shard, and where it is near an end of its range, a line each."""
    plan = setting.plan
    identity = search_identity(plan)
    rows = finished_trials(setting.place, identity.run_id)
    for method, scenario in setting.shard.take(studies_of(plan)):
        top = _best_trial(setting, identity, method, scenario, rows)
        if top is None:
            yield f"every trial of {method.name} on {scenario.forget} failed"
            continue
        space = search_space(method.Params, plan.search.space.get(method.name))
        shown = " ".join(f"{name}={_text(top[f'param_{name}'])}" for name in space.varied)
        by = "" if plan.objective().name != "weighted" else f"objective {top['objective']:.2f}, "
        yield f"best of {method.name} on {scenario.forget}: {by}gap {_text(top['gap'], '.2f')}, {shown}"
        own = rows_of(identity, method, scenario, rows)
        if stopped(own, plan.search.stop):
            yield (
                f"{method.name} on {scenario.forget}: stopped after {len(own)} of {plan.search.trials} "
                f"trials, as no more than {_bound(own):.2g} points were to be gained (search.stop: "
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


def carry_out(
    setting: Setting,
    identity: Identity,
    sources: Sequence[Source],
    results: Results,
    scenarios: Sequence[Scenario],
) -> None:
    console = setting.console
    title = identity.stage
    for line in identity.news(records(setting.place, f"{setting.plan.name}-{title}")):
        console.print(line, markup=False)
    if not setting.shard.whole:
        title = f"{title}, shard {setting.shard}"
    total = sum(source.total for source in sources)
    done = sum(source.done for source in sources)
    if done >= total:
        console.print(f"{title}: all {total} trials are done, nothing to do (run {results.run_id})")
        require_success(title, results.rows())
        return
    if done:
        console.print(f"{title}: {done} of {total} trials are done already, resuming run {results.run_id}")
    for row in results.rows():
        setting.shares.learn(row)
    plan = setting.plan.model_dump(mode="json")
    trials = {source.name: source.total for source in sources}
    results.save_plan({"version": package_version(), "plan": plan, **identity.record(), "trials": trials})
    shared = prepare(setting, scenarios)
    where = Where(setting.plan.name, results.run_id, setting.place)
    with (
        Progress(title, sources, console, results.rows()) as progress,
        logging(setting.plan.logging, where, progress.say) as log,
    ):
        failures = Failures(title, progress.say)

        def report(source: Source, row: Row) -> None:
            progress.update(source, row)
            failures.see(row)
            log(row)

        outcome = runner.run(
            sources,
            shared,
            results,
            setting.slots,
            setting.shares,
            report,
            setting.timeout,
            setting.plan.resources.trial_timeout,
            progress,
            progress.say,
        )
    for line in failures.summary():
        console.print(line)
    if outcome.finished:
        require_success(title, results.rows())
        return
    how, problem = ("interrupted", Interrupted) if outcome.interrupted else ("time is up", RunError)
    raise problem(f"{how}: {_kept(setting, results, outcome)}")


def _kept(setting: Setting, results: Results, outcome: runner.Outcome) -> str:
    """What a run that was cut off leaves, going by what is in the table now, not by what was written."""
    there = {row["trial_id"] for row in finished_trials(setting.place, results.run_id)}
    gone = len({row["trial_id"] for row in results.rows()} - there)
    if gone:
        return (
            f"{gone} of the trials that were done are no longer in {setting.place}; "
            "the same command again runs them once more"
        )
    return (
        f"{outcome.done} of {outcome.total} trials are done and kept in {setting.place}; "
        "the same command again goes on from there"
    )


def studies_of(plan: Plan) -> list[tuple[Method, Scenario]]:
    """What a plan searches: every method on every scenario to search."""
    return list(itertools.product(plan.algorithms(), plan.searched()))


def open_results(setting: Setting, run_id: str, work: Sequence[str] = ()) -> Results:
    """The results of a run of this shard, which says on the console what keeps it from writing.

    Without the failed trials, where these are to run again.
    """
    tell = setting.console.print
    with patience(setting.console, f"Reading the results in {setting.place}"):
        results = Results(setting.place, run_id, setting.shard, work=work, tell=tell)
    if setting.retry_failed:
        try:
            dropped = results.drop_failed()
        except BaseException:
            results.close()
            raise
        if dropped:
            tell(f"{dropped} failed trials of run {run_id} are run again")
    return results


def _entries(setting: Setting) -> Iterator[Entry]:
    """The lines of a plan's benchmark: references, what runs beside, published values, what was found."""
    plan = setting.plan
    assert plan.benchmark is not None
    identity = search_identity(plan)
    rows = finished_trials(setting.place, identity.run_id)
    _require_finished(setting, identity, rows)
    yield Entry(methods.get("original"), "", {})
    yield Entry(methods.get("retrain"), "", {})
    for name in plan.benchmark.beside:
        if name not in ("original", "retrain"):
            yield from published.beside(methods.get(name), plan)
    for method in plan.algorithms():
        yield from published.searched(method, plan)
        for scenario in plan.searched():
            params = best_parameters(setting, identity, method, scenario, rows)
            if params is None:
                setting.console.print(f"{method.name}: every trial on {scenario.forget} failed; left out")
            else:
                yield Entry(method, "tuned", params, tuned_on=(scenario.forget,))


def _require_finished(setting: Setting, identity: Identity, rows: Sequence[Row]) -> None:
    """Drivers that benchmark half a search each would disagree about the best parameters."""
    plan = setting.plan
    trials = {(m.name, s.forget): rows_of(identity, m, s, rows) for m, s in studies_of(plan)}
    counts = {study: len(own) for study, own in trials.items() if not _finished(plan, own)}
    short = [f"{m} on {f} has {n} of {plan.search.trials} trials" for (m, f), n in counts.items()]
    if short:
        least = min(counts.values())
        instead = f", or give --trials {least} to take what is there" if least else ""
        more = f" and {len(short) - 3} more" if len(short) > 3 else ""
        if _finished_on_all_images(setting):
            instead += ", or set 'search.evaluate: all' to take the search that was done on all images"
        raise RunError(
            f"the search is not finished: {', '.join(short[:3])}{more}; "
            f"run `unlearn search` with this plan first (all its shards){instead}"
        )


def _finished_on_all_images(setting: Setting) -> bool:
    """Whether there is a finished search that differs from the plan's in evaluating all images.

    Searches of versions that knew no subsets are such searches.
    """
    plan = setting.plan
    if not plan.evaluated_images().fewer:
        return False
    on_all = plan.with_all_images()
    identity = search_identity(on_all)
    rows = finished_trials(setting.place, identity.run_id)
    return all(_finished(plan, rows_of(identity, m, s, rows)) for m, s in studies_of(on_all))


def _finished(plan: Plan, rows: Sequence[Row]) -> bool:
    """Whether a study has all of its trials, or has stopped before."""
    return len(rows) >= plan.search.trials or stopped(rows, plan.search.stop)


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
    top = _best_trial(setting, identity, method, scenario, searched)
    return top and parameters_of(method, top)


def _best_trial(
    setting: Setting, identity: Identity, method: Method, scenario: Scenario, searched: Sequence[Row]
) -> Row | None:
    rows = rows_of(identity, method, scenario, searched)
    if not rows:
        raise RunError(
            f"no trial of '{method.name}' on '{scenario.forget}' in {setting.place}; "
            "run `unlearn search` with this plan first"
        )
    for row in rows:
        setting.shares.learn(row)
    return best(rows)


def parameters_of(method: Method, row: Row) -> dict[str, Any]:
    """All hyper-parameters of a trial."""
    return {p.name: row[f"param_{p.name}"] for p in declared(method.Params)}


def searched_ranges(plan: Plan, method: Method) -> dict[str, Range]:
    """What the plan's search varies of a method, and in which ranges."""
    return search_space(method.Params, plan.search.space.get(method.name)).ranges
