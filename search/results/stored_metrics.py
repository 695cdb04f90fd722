"""Metrics for finished runs, computed from their stored samples without running a trial again.

The files of the trials table are rewritten one by one under the run's claim, as when a driver adds new
columns. So there is still a single table, and all readers see the figures. Runs whose driver is running are
skipped, and after an interruption the same call does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from analysis.results.duplicates import distinct_details, writers_of
from analysis.results.store import Store, reason
from analysis.u_lira import confidence
from benchmarks.metrics import Metric, metrics
from search.errors import ResultsError
from search.results import storage, upkeep
from search.results.claims import claim
from search.results.files import files_of, part, read_as, read_each, run_names, schemas_of, trials_in, united
from search.results.lease import Lease
from search.results.schema import sample_columns

Tell = Callable[[str], None]
_USED = ("trial_id", "entropy", "loss", "correct", "predicted", "confidence")


@dataclass(frozen=True)
class Gained:
    """The number of trials of a run that gained a metric, and of trials for which it stays missing.

    Attributes:
        lacking: Trials whose samples lack a column that the metric needs.
    """

    run: str
    metric: str
    trials: int
    lacking: int

    def __str__(self) -> str:
        text = f"run {self.run}: {self.metric} of {self.trials} trials"
        if self.lacking:
            text += (
                f"; missing for {self.lacking} whose samples, of an older version, lack the predicted class: "
                "run their plan again into another folder"
            )
        return text


class _Missing(Exception):
    """A column is missing in the samples."""


class _Stored:
    """The samples of a trial in the form that metrics take."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def _column(self, name: str) -> np.ndarray:
        column = self._table[name]
        if column.null_count:
            raise _Missing(name)
        return column.to_numpy()  # type: ignore[no-any-return]

    @cached_property
    def predicted(self) -> np.ndarray:
        return self._column("predicted").astype(str)

    @cached_property
    def correct(self) -> np.ndarray:
        return self._column("correct").astype(bool)

    @cached_property
    def entropy(self) -> np.ndarray:
        return self._column("entropy")

    @cached_property
    def log_p_true(self) -> np.ndarray:
        return -self._column("loss")

    @cached_property
    def confidence(self) -> np.ndarray:
        """The column, or for samples of older versions a value from the loss, exact up to 36 nats."""
        try:
            return self._column("confidence")
        except _Missing:
            return confidence(self._column("loss"))


def measure_stored(
    results: Path | str, names: Sequence[str] = (), tell: Tell = lambda line: None
) -> list[Gained]:
    """Add metrics to finished benchmarks, computed from the forget images in their samples table.

    Existing values stay. The figures of the retrained model (`target_*`) are not stored and stay missing;
    the rows of retrain in the benchmark have the metric itself.

    Args:
        results: The results folder, or its address in a bucket.
        names: Metrics; by default all that can be computed from stored samples.
        tell: Called with a line for metrics that cannot be computed, and for each skipped run.

    Raises:
        UnknownName: for a metric that does not exist.
        ResultsError: without results, if they cannot be written, and if none of the metrics can be computed
            from stored samples.
    """
    wanted = _wanted(names, tell)
    store = storage.store_at(results)
    gained: list[Gained] = []
    try:
        runs = run_names(store) if store.exists() else []
        if not runs:
            raise ResultsError(f"there are no results in {store}; give a folder that a benchmark wrote to")
        with_samples = [run for run in runs if files_of(store, "samples", run)]
        if not with_samples:
            raise ResultsError(f"no benchmark in {store} has samples; run 'unlearn benchmark PLAN' into it")
        for run in with_samples:
            try:
                lease = Lease(store, claim(run), tell)
            except ResultsError as error:
                tell(f"run {run} is skipped: {error}")
                continue
            try:
                gained += _measure(store, lease, run, wanted, tell)
            finally:
                lease.release()
    except OSError as error:
        raise ResultsError(f"cannot measure in {store}: {reason(error)}; then measure again") from error
    return gained


def _wanted(names: Sequence[str], tell: Tell) -> list[Metric]:
    """The metrics that can be computed from stored samples."""
    chosen = [metrics.get(name) for name in dict.fromkeys(names)] or [m for m in metrics if m.of_samples]
    beyond = [metric.name for metric in chosen if metric.of_samples is None]
    possible = [metric.name for metric in metrics if metric.of_samples]
    if beyond:
        line = (
            f"not possible with stored samples, which have only the predictions for each forget image: "
            f"{', '.join(beyond)}; to get them, run the benchmark into another folder (its plan names "
            f"what is 'if named' in `unlearn list metrics`); possible are {', '.join(possible)}"
        )
        if len(beyond) == len(chosen):
            raise ResultsError(line)
        tell(line)
    return [metric for metric in chosen if metric.of_samples]


def _measure(store: Store, lease: Lease, run: str, wanted: Sequence[Metric], tell: Tell) -> Iterator[Gained]:
    declared = united("trials", schemas_of(store, "trials").values())
    trials = trials_in(store, declared, run)
    samples = _samples(store, run, trials)
    added, lacking = dict.fromkeys(wanted, 0), dict.fromkeys(wanted, 0)
    for file, table in trials.items():
        before = sum(added.values())
        columns = {metric: table[metric.name].to_pylist() for metric in wanted}
        for row, trial in enumerate(table["trial_id"].to_pylist()):
            for metric in wanted if trial in samples else ():
                if columns[metric][row] is not None:
                    continue
                try:
                    value = metric.of_samples(samples[trial])  # type: ignore[misc]
                except _Missing:
                    lacking[metric] += 1
                    continue
                if np.isfinite(value):
                    columns[metric][row] = value
                    added[metric] += 1
        if sum(added.values()) == before:
            continue
        for metric, values in columns.items():
            at = table.schema.get_field_index(metric.name)
            table = table.set_column(at, table.schema.field(at), pa.array(values, pa.float64()))
        upkeep.replace(store, lease, file, table)
    if any(added.values()):
        upkeep.upgrade(store, lease, part(run), schemas_of(store, "trials"), declared, tell)
    for metric in wanted:
        yield Gained(run, metric.name, added[metric], lacking[metric])


def _samples(store: Store, run: str, trials: Mapping[str, pa.Table]) -> dict[str, _Stored]:
    """The samples of every trial of a run."""
    fields = [column.field() for column in sample_columns() if column.name in _USED]
    tables = read_each(store, partial(read_as, pa.schema(fields)), files_of(store, "samples", run))
    distinct = distinct_details(tables, lambda: writers_of(trials))
    if not distinct:
        return {}
    table = pa.concat_tables(distinct.values()).combine_chunks().sort_by("trial_id")
    ids = np.asarray(table["trial_id"].to_pylist(), dtype=object)
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.empty(0, int)
    ends = [*starts[1:], len(ids)]
    return {ids[i]: _Stored(table.slice(i, j - i)) for i, j in zip(starts, ends, strict=True)}
