"""Reading the progress of runs repeatedly at low cost: unchanged files are not read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd
import pyarrow as pa

from analysis.errors import AnalysisError
from analysis.monitoring import files as run_files
from analysis.monitoring import state as run_state
from analysis.monitoring.drivers import Driver, Pulse
from analysis.monitoring.files import RunFile
from analysis.results.columns import declared
from analysis.results.duplicates import distinct_trials
from analysis.results.parquet import data_files
from analysis.results.store import Store, reason, store_at
from analysis.results.table_files import read_each, read_file, united

T = TypeVar("T")


@dataclass(frozen=True)
class View:
    """The state of some results at one moment; see `analysis.monitoring.state` for the tables."""

    at: datetime
    trials: pd.DataFrame
    records: Mapping[str, RunFile]
    drivers: tuple[Driver, ...]

    @cached_property
    def studies(self) -> pd.DataFrame:
        return run_state.study_table(self.trials, self.records, self.drivers, self.at)

    @cached_property
    def runs(self) -> pd.DataFrame:
        return run_state.run_table(self.trials, self.records, self.drivers, self.at)


class _Kept(Generic[T]):
    """The contents of files that were read before.

    A file is read again after it has changed, and once more at the next look: the clock of some stores has
    whole seconds, and a file can be replaced twice within a second.
    """

    def __init__(self, read: Callable[[Store, str], T]) -> None:
        self._read = read
        self._contents: dict[str, tuple[float, bool, T]] = {}

    def read(self, store: Store, written: Mapping[str, float]) -> dict[str, T]:
        """The contents of some files, by name.

        Args:
            written: When each of them was last written.
        """
        before = self._contents
        changed = [f for f, at in written.items() if f not in before or before[f][:2] != (at, True)]
        fresh = read_each(store, self._read, changed)
        self._contents = {f: kept for f, kept in before.items() if f in written and f not in changed}
        for file, content in fresh.items():
            settled = file in before and before[file][0] == written[file]
            self._contents[file] = (written[file], settled, content)
        return {file: self._contents[file][2] for file in written if file in self._contents}


class Watched:
    """Some results that are read several times.

    Args:
        results: A folder or the address of a bucket.

    Raises:
        AnalysisError: for an invalid address.
    """

    def __init__(self, results: Path | str) -> None:
        self._store = store_at(results)
        self._pulse = Pulse()
        self._tables: _Kept = _Kept(lambda store, file: read_file(store, file, "trials", run_state.COLUMNS))
        self._records: _Kept[RunFile] = _Kept(
            lambda store, file: run_files.parsed(file, store.read(file).to_pybytes())
        )

    def look(self, *, certain: bool = False) -> View:
        """The current state.

        Args:
            certain: Wait some seconds until it is known whether drivers on other machines run; otherwise
                those that were not seen before count as running.

        Raises:
            AnalysisError: if the results cannot be read, or a file is not a table of results.
        """
        store = self._store
        try:
            if not store.exists():
                raise AnalysisError(f"no results folder {store}; give the folder that a search wrote to")
            written = store.files(run_files.FOLDER)
            drivers = self._pulse.certain(store) if certain else self._pulse.living(store, written)
            tables = self._tables.read(store, data_files(store, "trials"))
            newest = run_files.newest(written).values()
            records = self._records.read(store, {file: written[file] for file in newest})
        except OSError as error:
            raise AnalysisError(f"cannot read the results in {store}: {reason(error)}") from error
        known = {record.run: record for record in records.values()}
        return View(datetime.now(UTC), _frame(store, tables), known, tuple(drivers))


def _frame(store: Store, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    types = declared("trials") | {"gpu_fraction": pa.float64()}  # which older files lack
    nothing = pa.schema(list(types.items())).empty_table()
    frame: pd.DataFrame = united(store, "trials", {**distinct_trials(tables), "": nothing}).to_pandas()
    return frame


def status(results: Path | str) -> pd.DataFrame:
    """The progress of every study of some results; see `analysis.monitoring.state.study_table`.

    If drivers on other machines may be at work, this waits some seconds for their heartbeats.

    Raises:
        AnalysisError: if the results cannot be read.
    """
    return Watched(results).look(certain=True).studies


def runs(results: Path | str) -> pd.DataFrame:
    """The progress of every run of some results; see `analysis.monitoring.state.run_table`.

    If drivers on other machines may be at work, this waits some seconds for their heartbeats.

    Raises:
        AnalysisError: if the results cannot be read.
    """
    return Watched(results).look(certain=True).runs
