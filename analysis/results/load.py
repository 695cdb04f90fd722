"""Reading results: the tables of a folder or bucket, the meaning of their columns, the parameters' ranges.

Every file is read separately and as a whole, and the columns are united. So results of several versions or
methods lose no column, and a file may be replaced while it is read. Nothing is ever written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa

from analysis.errors import AnalysisError
from analysis.results.columns import identity
from analysis.results.fields import Described, united_fields
from analysis.results.frames import as_frame, by_folder, every, rows_of
from analysis.results.layout import PARTITIONS, STAGES
from analysis.results.ranges import Range as Range
from analysis.results.ranges import Ranges
from analysis.results.store import store_at
from analysis.results.table_files import fields_of, files_of, newest_first, read_each, schema_of

Locations = Path | str | Sequence[Path | str]
Trials = pd.DataFrame | Locations  # a table of trials, or results, of which only the used columns are read


def trials(
    results: Locations, stage: str | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """All trials, one row each: identifying columns first, then parameters, outcome, figures, cost.

    Empty columns are left out, except for those that functions of this package read;
    `pandas.read_parquet` on the folder `trials` gives all. Partition columns are plain strings.

    Args:
        results: The results folder, or its address in a bucket (`s3://bucket/prefix`, `gs://bucket/prefix`);
            or several of them; a column `results` then names that of each row.
        stage: Only the trials of one stage, because stages must not be mixed in a mean: `search` and
            `sensitivity` are measured on validation images, `benchmark` (with the reference models) on test
            images. Files that runs of other stages wrote are not opened.
        columns: Only these, which is much faster if there are many trials.

    Raises:
        AnalysisError: if a location is missing or cannot be read, has no trials (of the stage), or has a
            file that is not a table of results or was written by a newer version; one line that names the
            file. Also for a stage that does not exist, and for columns that no file has.
    """
    if stage is not None and stage not in STAGES:
        near = get_close_matches(stage, STAGES, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"valid: {', '.join(STAGES)}"
        raise AnalysisError(f"there is no stage '{stage}'; {hint}")
    if columns is None:
        return selected(results, every, stage)
    frame = selected(results, frozenset(columns).__contains__, stage)
    unknown = [name for name in columns if name not in frame]
    if unknown:
        near = get_close_matches(unknown[0], [field.name for field in _fields(results)], 1)
        hint = f"did you mean '{near[0]}'?" if near else "analysis.columns lists them"
        raise AnalysisError(f"no trial in {_named(results)} has a column '{unknown[0]}'; {hint}")
    return frame[list(dict.fromkeys(columns))]


def selected(results: Locations, wanted: Callable[[str], bool], stage: str | None = None) -> pd.DataFrame:
    """The trials of a stage with the columns that a function uses and those that every row has.

    Args:
        wanted: Whether the function uses a column.

    Raises:
        AnalysisError: as for `trials`.
    """
    frame = _table(results, "trials", wanted, stage)
    if frame.empty:
        raise _no_trials(results, stage)
    return frame


def _no_trials(results: Locations, stage: str | None) -> AnalysisError:
    """The error for results without trials of a stage."""
    if stage is None or _table(results, "trials", identity("trials").__contains__).empty:
        return AnalysisError(
            f"no trials in {_named(results)}; give the folder that holds 'trials/', or run a search into it "
            "first"
        )
    return AnalysisError(f"no {stage} in {_named(results)} yet; run 'unlearn {stage} PLAN' into it first")


def searches(results: Locations, columns: Collection[str]) -> tuple[Iterator[pd.DataFrame], Ranges]:
    """Some columns and all parameters of the search trials, and the declared ranges of the parameters.

    Returns:
        A table for each method on each data set, network and task, one after the other, and the ranges.

    Raises:
        AnalysisError: as for `trials`.
    """

    def wanted(name: str) -> bool:
        return name in columns or name.startswith("param_")

    read = {
        location: by_folder(location, wanted, frozenset(STAGES["search"]))
        for location in locations_of(results)
    }
    ranges = _ranges(_united(fields_of(store_at(location), part.schemas) for location, part in read.items()))
    groups: dict[tuple[str, ...], dict[str, pa.Table]] = {}
    for location, part in read.items():
        for key, table in part.tables.items():
            groups.setdefault(key, {})[location] = table
    if not any(len(table) for tables in groups.values() for table in tables.values()):
        raise _no_trials(results, "search")
    frames = (as_frame(groups.pop(key), "trials", wanted) for key in list(groups))
    return (frame for frame in frames if not frame.empty), ranges


def used(trials: Trials, stage: str, columns: Iterable[str]) -> pd.DataFrame:
    """A table unchanged, or the columns of a stage that a function uses, read from results.

    Raises:
        AnalysisError: as for `trials`.
    """
    if isinstance(trials, pd.DataFrame):
        return trials
    return selected(trials, frozenset(columns).__contains__, stage)


def classes(results: Locations) -> pd.DataFrame:
    """One row per trial, split and class (correct and total images); empty before the benchmark stage.

    Raises:
        AnalysisError: as for `trials`, but not for results without such rows.
    """
    return _table(results, "classes")


def samples(results: Locations, columns: Collection[str] | None = None) -> pd.DataFrame:
    """One row per trial and forgotten training image (entropy and loss in nats); may be empty.

    Args:
        columns: Only these and those that every row has.

    Raises:
        AnalysisError: as for `trials`, but not for results without such rows.
    """
    return _table(results, "samples", every if columns is None else frozenset(columns).__contains__)


def steps(results: Locations) -> pd.DataFrame:
    """One row per trial and request of the task sequence: the state after the request; may be empty.

    Raises:
        AnalysisError: as for `trials`, but not for results without such rows.
    """
    return _table(results, "steps")


def progress(results: Locations) -> pd.DataFrame:
    """One row per trial and measurement of its model while the method ran; may be empty.

    Raises:
        AnalysisError: as for `trials`, but not for results without such rows.
    """
    return _table(results, "progress")


def inversions(results: Locations) -> pd.DataFrame:
    """One row per trial and image that its model assigns to a forgotten class (PNG, base64); may be empty.

    Raises:
        AnalysisError: as for `trials`, but not for results without such rows.
    """
    return _table(results, "inversions")


def columns(results: Locations) -> pd.DataFrame:
    """The meaning of the columns of the trials table: column, group, type, unit, description.

    Raises:
        AnalysisError: as for `trials`.
    """
    rows = [
        {"column": name, "group": "scenario", "type": "string", "unit": "", "description": text}
        for name, text in PARTITIONS.items()
    ]
    for field in _fields(results):
        text = {key: field.text.get(key, "") for key in ("group", "unit", "description")}
        rows.append({"column": field.name, "type": field.type, **text})
    frame = pd.DataFrame(rows)
    return frame[["column", "group", "type", "unit", "description"]]


def ranges(results: Locations) -> Ranges:
    """The declared ranges: parameter column -> method -> Range; options without a range are left out.

    Raises:
        AnalysisError: as for `trials`.
    """
    return _ranges(_fields(results))


def locations_of(results: Locations) -> list[str]:
    """One or several locations as a list.

    Raises:
        AnalysisError: for no location, or one that is given twice, because its rows would count twice.
    """
    if isinstance(results, (str, Path)):
        return [str(results)]
    locations = [str(location) for location in results]
    if not locations:
        raise AnalysisError("no results were given; give the folder that a search wrote to")
    names = [store_at(location).name.rstrip("/") for location in locations]
    twice = [location for location, name in zip(locations, names, strict=True) if names.count(name) > 1]
    if twice:
        raise AnalysisError(f"the results {twice[0]} are given twice; give each folder once")
    return locations


def _named(results: Locations) -> str:
    return " and ".join(locations_of(results))


def _table(
    results: Locations, name: str, wanted: Callable[[str], bool] = every, stage: str | None = None
) -> pd.DataFrame:
    kinds = frozenset(STAGES[stage]) if stage else None
    return as_frame(
        {location: rows_of(location, name, wanted, kinds).table for location in locations_of(results)},
        name,
        wanted,
    )


def _fields(results: Locations) -> list[Described]:
    """The fields of all files of the trials table, each name once, those of newer files first."""

    def read(location: str) -> Iterator[list[Described]]:
        store, written = files_of(location, "trials")
        return fields_of(store, read_each(store, schema_of, newest_first(written)))

    return _united(map(read, locations_of(results)))


def _united(files: Iterable[Iterator[list[Described]]]) -> list[Described]:
    return list(united_fields(chain.from_iterable(files)).values())


def _ranges(fields: list[Described]) -> Ranges:
    return {field.name: field.ranges for field in fields if field.ranges}
