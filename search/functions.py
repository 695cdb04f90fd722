"""The stages of a plan as functions for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.signals import answered, interrupt
from search.display.screen import terminal
from search.errors import Interrupted
from search.options import RESULTS, Options
from search.plans.files import load
from search.plans.plan import Plan
from search.stages import benchmark as benchmark_stage
from search.stages import search as search_stage
from search.stages import sensitivity as sensitivity_stage
from search.stages.outcomes import BenchmarkResult, PlanResult, SearchResult, SensitivityResult
from search.stages.session import Session, opened
from search.stages.workers import workers_of

if TYPE_CHECKING:
    import pandas as pd

PlanLike = Plan | str | Path  # a plan, or what `Plan.load` takes


def plans(plan: str | Path, *, scale: float | None = None, allow_code: bool = False) -> list[Plan]:
    """All plans in a file, or in a plan that ships with the package.

    Args:
        scale: The share of epochs, images, trials, seeds and steps to run, instead of the file's.
        allow_code: Allow the plan to import the module it names (`import:`), which runs the module's code.

    Raises:
        PlanError: one line with file, line, reason and what is valid.
    """
    return load(plan, scale, allow_code)


def prepare(
    plan: PlanLike, *, workers: int | None = None, address: str = "local", to: str | Path | None = None
) -> pd.DataFrame:
    """Train the models of a plan into the model cache; return a row for each of them.

    Args:
        to: A folder for copies of the original and the retrained models, each with a card.
        workers: Parallel trainings; None for as many as fit.
        address: The Ray cluster: "local", "auto" (the cluster of this machine) or "HOST:6379".

    Returns:
        model, data set, role, test accuracy, kept epoch, seconds, printed; all text.

    Raises:
        BenchmarkError, ClusterError, SearchError: one line that says what to do.
    """
    import pandas as pd

    from search.models.kept_models import write_models
    from search.models.table import listing

    with _session(plan, Options(results=None, workers=workers, address=address)) as session:
        session.prepare(session.plan.scenarios())
        header, rows = listing(session.trained)
        if to is not None:
            write_models(session.plan, session.plan.scenarios(), Path(to))
    return pd.DataFrame(rows, columns=header)


def search(
    plan: PlanLike,
    results: str | Path = RESULTS,
    *,
    trials: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    address: str = "local",
    timeout: float | None = None,
    retry_failed: bool = False,
) -> SearchResult:
    """Search the hyper-parameters of a plan's methods; a second call resumes from the finished trials.

    Args:
        results: A folder, `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`.
        trials: Trials of each method on each forget set, instead of the plan's.
        seed: Seed of the search, instead of the plan's.
        workers: Parallel trials; None for as many as fit.
        address: The Ray cluster: "local", "auto" (the cluster of this machine) or "HOST:6379".
        timeout: Seconds after which no new trial is started.
        retry_failed: Rerun trials that failed before.

    Raises:
        Interrupted: if it was interrupted; finished trials are kept.
        RunError: if it could not be finished; finished trials are kept.
        BenchmarkError, ClusterError, SearchError: one line that says what to do.
    """
    options = Options(
        results=str(results),
        workers=workers,
        address=address,
        trials=trials,
        seed=seed,
        timeout=timeout,
        retry_failed=retry_failed,
    )
    with _session(plan, options) as session:
        return SearchResult(session.plan, str(results), search_stage.search(session))


def benchmark(
    plan: PlanLike,
    results: str | Path = RESULTS,
    *,
    trials: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    address: str = "local",
    timeout: float | None = None,
    retry_failed: bool = False,
) -> BenchmarkResult:
    """Run a plan's best parameters on its forget sets and seeds, with retraining and published values.

    Arguments and errors are those of `search`; `trials` and `seed` select the search that had the same.

    Raises:
        PlanError: also if the plan has no benchmark.
        RunError: also if its search is not finished.
    """
    options = Options(
        results=str(results),
        workers=workers,
        address=address,
        trials=trials,
        seed=seed,
        timeout=timeout,
        retry_failed=retry_failed,
    )
    with _session(plan, options) as session:
        return BenchmarkResult(session.plan, str(results), benchmark_stage.benchmark(session))


def sensitivity(
    plan: PlanLike,
    method: str | Sequence[str] = (),
    results: str | Path = RESULTS,
    *,
    parameters: str | Sequence[str] = (),
    forget: str | Sequence[str] = (),
    ranges: Mapping[str, tuple[float, float]] | None = None,
    grid: bool = False,
    points: int = 9,
    seeds: int = 3,
    around: sensitivity_stage.Centre = "best",
    seed: int | None = None,
    workers: int | None = None,
    address: str = "local",
    timeout: float | None = None,
) -> SensitivityResult:
    """Run new trials around the best point of a plan's searches, or around published values.

    Args:
        method: One or more methods of the plan; by default all.
        parameters: Names to vary; by default all that were searched.
        forget: Forget sets of the plan's search; by default all.
        ranges: Name -> low and high end, instead of the searched range.
        grid: Vary two parameters together instead of one at a time.
        points: Values per parameter.
        seeds: Repetitions of every point.
        around: The best of each search, or each method's published values, which need no search.

    The other arguments are those of `search`.

    Raises:
        PlanError: also for a method, forget set, parameter or range that is not valid.
        RunError: also if a search has no complete trial yet.
    """
    design = sensitivity_stage.Design(
        _listed(method), _listed(forget), _listed(parameters), dict(ranges or {}), grid, points, seeds, around
    )
    options = Options(results=str(results), workers=workers, address=address, seed=seed, timeout=timeout)
    with _session(plan, options) as session:
        return SensitivityResult(session.plan, str(results), sensitivity_stage.sensitivity(session, design))


def run(
    plan: PlanLike,
    results: str | Path = RESULTS,
    *,
    trials: int | None = None,
    workers: int | None = None,
    address: str = "local",
    retry_failed: bool = False,
) -> PlanResult:
    """Run a whole plan: train, search, benchmark (if the plan has one) and report.

    Arguments and errors are those of `search`.
    """
    from analysis.report.render import write_report

    location = str(results)
    options = Options(
        results=location, workers=workers, address=address, trials=trials, retry_failed=retry_failed
    )
    with _session(plan, options) as session:
        session.prepare(session.plan.scenarios())
        searched = SearchResult(session.plan, location, search_stage.search(session))
        measured = None
        if session.plan.benchmark:
            measured = BenchmarkResult(session.plan, location, benchmark_stage.benchmark(session))
        return PlanResult(searched, measured, str(write_report(location)))


@contextmanager
def _session(plan: PlanLike, options: Options) -> Iterator[Session]:
    """A session for one plan; an interrupt before the first trial is also raised as `Interrupted`."""
    loaded = plan if isinstance(plan, Plan) else Plan.load(plan)
    try:
        with (
            answered(interrupt),
            workers_of(options) as server,
            opened([loaded], options, terminal(), server) as (session,),
        ):
            yield session
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same call again resumes from the finished trials") from None


def _listed(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else [str(name) for name in names]
