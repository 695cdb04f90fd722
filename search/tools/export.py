"""Results for other tools: searches as Optuna studies in a database, and tables as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from search.errors import ResultsError
from search.studies.optuna_storage import opened


@dataclass(frozen=True)
class Exported:
    """A written study: the number of added trials, and of trials that it had before."""

    name: str
    added: int
    held: int

    def __str__(self) -> str:
        held = f", {self.held} existed" if self.held else ""
        return f"{self.name}: {self.added} trials added{held}"


def export_optuna(results: Path | str, storage: str) -> list[Exported]:
    """Write every search of a table to a database as a separate Optuna study.

    The studies have the names that `unlearn dashboard` shows. Existing trials of a study are not changed, so
    that the same call again adds the new trials of a search.

    Args:
        results: The results folder, or its address in a bucket.
        storage: Address of the database as Optuna takes it, such as `sqlite:///study.db`.

    Raises:
        AnalysisError: when the table cannot be read.
        ResultsError: when the results hold no search, the database cannot be used, or it has a study of that
            name with trials that the results do not hold.
    """
    from optuna.exceptions import DuplicatedStudyError
    from optuna.study import load_study

    from analysis.results.load import trials
    from search.results.optuna_studies import rebuilt, searched_spaces

    rows = trials(results)
    studies = rebuilt(rows, searched_spaces(results, rows))
    if not studies:
        raise ResultsError(f"no search in {results} yet; run 'unlearn search PLAN' into it first")
    written = []
    with opened(storage, must_exist=False) as database:
        for study in studies:
            try:
                target = study.create(database)
            except DuplicatedStudyError:
                target = load_study(study_name=study.name, storage=database)
            held = target.get_trials(deepcopy=False)
            new = study.missing(held)
            if new is None:
                raise ResultsError(
                    f"the study '{study.name}' exists already, with trials that {results} does not have; "
                    "delete that study, or give another database"
                )
            target.add_trials(new)
            written.append(Exported(study.name, len(new), len(held)))
    return written


def export_csv(results: Path | str, file: Path | str, table: str = "trials") -> int:
    """Write a table as a CSV file, which replaces an existing file; returns the number of rows.

    Args:
        results: The results folder, or its address in a bucket.
        table: trials, classes, samples, steps, progress or inversions.

    Raises:
        AnalysisError: when the table cannot be read.
        ResultsError: when there is no such table, it has no rows, or the file cannot be written.
    """
    from analysis.results import load
    from analysis.results.store import reason
    from benchmarks.errors import suggest

    readers = {
        "trials": load.trials,
        "classes": load.classes,
        "samples": load.samples,
        "steps": load.steps,
        "progress": load.progress,
        "inversions": load.inversions,
    }
    if table not in readers:
        raise ResultsError(f"unknown table '{table}'; {suggest(table, readers)}")
    frame = readers[table](results)
    if frame.empty:
        raise ResultsError(f"the table '{table}' in {results} has no rows yet; a benchmark writes it")
    target = Path(file)
    beside = target.with_name(f".{target.name}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as opened_file:
            frame.apply(_written).to_csv(opened_file, index=False)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ResultsError(f"cannot write '{file}': {reason(error)}") from error
    return len(frame)


def _written(column: pd.Series) -> pd.Series:
    """A column without text that a spreadsheet would read as a formula."""
    from analysis.text.names import spreadsheet

    if not pd.api.types.is_string_dtype(column) and not pd.api.types.is_object_dtype(column):
        return column
    return column.map(lambda value: spreadsheet(value) if isinstance(value, str) else value)
