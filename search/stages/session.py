"""The sessions in which plans run, from the first check to the end of the Ray session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.results.layout import Row
from benchmarks.datasets import datasets, load
from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.cache import writable_model_folder
from cluster.addresses import LOCAL
from cluster.connect import running, session
from cluster.errors import GpusGone
from cluster.forking import NO_FORK_SERVER, ForkServer
from cluster.slots import slots
from cluster.tasks import first_machine
from search.display.progress import Progress
from search.display.screen import activity, announced, patience
from search.engine import preparation, runner
from search.engine.failures import Failures, require_success
from search.engine.placement import Learned
from search.errors import Interrupted, RunError
from search.loggers import logging
from search.loggers.trials import Where
from search.options import Options
from search.plans.files import check_work
from search.plans.identity import Identity
from search.plans.plan import Plan
from search.results.records import records
from search.results.shards import parse
from search.results.storage import probe
from search.results.writer import Results, finished_trials
from search.stages.setting import Setting
from search.studies.assignments import Source
from search.version import package_version

_RUNNING = (
    "search.engine.searcher",
    "search.engine.actors",
    "search.engine.stopping",
    "search.engine.watchdog",
)  # modules that trials import


@dataclass(eq=False)
class Session:
    """The stages of one plan while they run: Ray, prepared scenarios, and the console.

    Attributes:
        shares: The GPU memory that trials need, as far as it is known.
        console: Must have `markup=False, emoji=False`, because names and paths are printed on it.
        ray: Holds the Ray session once a stage has needed it; the creator closes it.
        server: The process that the workers of a local session are copies of.
        shared: Scenarios that a stage has prepared, for the stages after it.
        trained: The models of these scenarios.
    """

    setting: Setting
    shares: Learned
    console: Console
    ray: ExitStack
    server: ForkServer = NO_FORK_SERVER
    shared: preparation.Shared = field(default_factory=preparation.Shared)
    trained: list[preparation.Trained] = field(default_factory=list)

    @property
    def plan(self) -> Plan:
        return self.setting.plan

    def learn(self, rows: Sequence[Row]) -> None:
        """Read the GPU memory of trials from their rows."""
        for row in rows:
            self.shares.learn(row)

    def prepare(self, scenarios: Sequence[Scenario]) -> preparation.Shared:
        """The models of scenarios, trained now or read from the cache; starts Ray if it is not running."""
        missing = [scenario for scenario in scenarios if scenario.key not in self.shared.packed]
        user_models = preparation.NO_USER_MODELS
        if missing and self.plan.original() is not None:
            with activity(self.console, "Reading your checkpoint"):
                user_models = preparation.load_user_models(
                    self.plan.original(), self.plan.retrained_model(), missing, self.console.print
                )
        if not running():
            self._start_ray()
        if missing:
            self._train(missing, user_models)
        packed = {scenario.key: self.shared.packed[scenario.key] for scenario in scenarios}
        return preparation.Shared(packed, self.shared.data)

    def _start_ray(self) -> None:
        slots = self.setting.slots
        start = "Starting Ray" if slots.address == LOCAL else f"Joining the cluster at {slots.address}"
        with activity(self.console, start):
            self.ray.enter_context(session(slots, _RUNNING, self.server))
        with patience(self.console, "Waiting for a machine of the cluster"):
            first_machine(slots, self.console.print)

    def _train(self, scenarios: Sequence[Scenario], user_models: preparation.UserModels) -> None:
        """Add scenarios to the shared ones, with their models."""
        plan, trained_before = self.plan, len(self.trained)

        def report(model: preparation.Trained) -> None:
            self.trained.append(model)
            self.console.print(str(model))

        def prepared() -> preparation.Shared:
            return preparation.prepare(
                scenarios,
                plan.recipe(),
                plan.eval_limit,
                self.setting.slots,
                report,
                record=plan.needs_recording(),
                keep_retrained=plan.needs_retrained(),
                references=plan.reference_count(),
                console=self.console,
                user_models=user_models,
                warn=self.console.print,
            )

        try:
            new = prepared()
        except GpusGone:  # Ray still counts a dead machine for some seconds
            self.console.print("the machines with GPUs have left the cluster; preparing models without them")
            del self.trained[trained_before:]
            new = prepared()
        self.shared.packed.update(new.packed)
        self.shared.data.update(new.data)

    def open_results(self, run_id: str, work: Sequence[str] = ()) -> Results:
        """The results of a run of this shard, without failed trials if these are to be rerun.

        Reasons why they cannot be written are printed on the console.

        Args:
            work: Names of the run's pieces of work, which several drivers divide.
        """
        report, setting = self.console.print, self.setting
        with patience(self.console, f"Reading the results in {setting.results}"):
            results = Results(setting.results, run_id, setting.shard, work=work, tell=report)
        if self.setting.retry_failed:
            try:
                dropped = results.drop_failed()
            except BaseException:
                results.close()
                raise
            if dropped:
                report(f"{dropped} failed trials of run {run_id} will be rerun")
        return results

    def run(
        self,
        identity: Identity,
        sources: Sequence[Source],
        results: Results,
        scenarios: Sequence[Scenario],
    ) -> None:
        """Run the remaining trials of some sources, and write every trial to the results.

        Raises:
            Interrupted, RunError: if some trials could not be run; finished ones are kept.
        """
        console = self.console
        title = identity.stage
        for line in identity.news(records(self.setting.results, f"{self.plan.name}-{title}")):
            console.print(line, markup=False)
        if not self.setting.shard.whole:
            title = f"{title}, shard {self.setting.shard}"
        total = sum(source.total for source in sources)
        done = sum(source.done for source in sources)
        if done >= total:
            console.print(f"{title}: all {total} trials are done, nothing to do (run {results.run_id})")
            require_success(title, results.rows())
            return
        if done:
            console.print(
                f"{title}: {done} of {total} trials are done already, resuming run {results.run_id}"
            )
        self.learn(results.rows())
        plan = self.plan.model_dump(mode="json")
        trials = {source.name: source.total for source in sources}
        results.save_plan({"version": package_version(), "plan": plan, **identity.record(), "trials": trials})
        shared = self.prepare(scenarios)
        where = Where(self.plan.name, results.run_id, self.setting.results)
        with (
            Progress(title, sources, console, results.rows()) as progress,
            logging(self.plan.logging, where, progress.say) as log,
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
                self.setting.slots,
                self.shares,
                report,
                self.setting.timeout,
                self.plan.resources.trial_timeout,
                progress,
                progress.say,
            )
        for line in failures.summary():
            console.print(line)
        if outcome.finished:
            require_success(title, results.rows())
            return
        how, problem = ("interrupted", Interrupted) if outcome.interrupted else ("time is up", RunError)
        raise problem(f"{how}: {kept_line(self.setting.results, results, outcome)}")


def kept_line(location: Path | str, results: Results, outcome: runner.Outcome) -> str:
    """A sentence on the trials of an interrupted run that are in the table, which others may have changed."""
    still_stored = {row["trial_id"] for row in finished_trials(location, results.run_id)}
    lost = len({row["trial_id"] for row in results.rows()} - still_stored)
    if lost:
        return (
            f"{lost} of the finished trials are no longer in {location}; the same command again reruns them"
        )
    return (
        f"{outcome.done} of {outcome.total} trials are done and kept in {location}; "
        "the same command again resumes from there"
    )


@contextmanager
def opened(
    plans: Sequence[Plan], options: Options, console: Console, server: ForkServer
) -> Iterator[list[Session]]:
    """A session for each plan, with the options' changes; Ray is stopped at the end.

    A test file is written to the results before anything is trained.

    Args:
        server: See `search.stages.workers`.

    Raises:
        PlanError: if the changed plan has more work than a driver can hold.
        ClusterError: if this machine has too few of the resources that the plans need.
        ResultsError: if the results cannot be written.
        CacheError: if trained models cannot be stored.
        DataError: if a data set cannot be read.
    """
    part = parse(options.shard)
    changed = [_changed(plan, options) for plan in plans]
    resources = changed[0].resources
    code = list(dict.fromkeys(folder for plan in changed for folder in plan.code))
    workers = options.workers or resources.workers
    wanted = slots(workers, resources.cpus_per_trial, resources.gpus_per_trial, options.address, code)
    writable_model_folder()
    shares = Learned(wanted.shares, console.print)
    for note in dict.fromkeys(datasets.get(plan.dataset).note for plan in changed):
        if note:
            console.print(note)
    if options.results is not None:
        with patience(console, f"Trying {options.results}"):
            probe(options.results)
    for name in dict.fromkeys(plan.dataset for plan in changed):
        with announced(console, f"Reading {name}"):
            load(name)
    ray = ExitStack()
    try:
        yield [
            Session(
                Setting(plan, options.results or "", wanted, options.timeout, part, options.retry_failed),
                shares,
                console,
                ray,
                server,
            )
            for plan in changed
        ]
    finally:
        with patience(console, "Stopping Ray"):
            ray.close()


def _changed(plan: Plan, options: Options) -> Plan:
    changes: dict[str, Any] = {"trials": options.trials, "seed": options.seed}
    given = {key: value for key, value in changes.items() if value is not None}
    changed = plan.model_copy(update={"search": plan.search.model_copy(update=given)})
    check_work(changed, lambda *_: "--trials")
    return changed
