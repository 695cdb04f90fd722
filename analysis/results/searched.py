"""The ranges in which searches varied parameters, from the records that runs keep with their tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.results.ranges import Range, Ranges
from analysis.results.store import Store, store_at
from analysis.studies import Study

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Searched = Mapping[str, Mapping[str, Range]]  # run_id of a study -> column -> range


def searched_ranges(results: Path | str, trials: pd.DataFrame, declared: Ranges) -> Searched:
    """The range of each parameter in each search of a table, if its records contain it.

    Records of older versions do not name their studies. A file that cannot be read or is not such a record
    is ignored, because only warnings depend on it.

    Args:
        declared: The declared ranges, which name the parameters with a logarithmic scale.
    """
    searches = trials[trials["kind"] == "search"]
    methods = dict(zip(searches["run_id"], searches["method"], strict=True))
    runs = tuple(sorted({f"_runs/{run_id.partition('/')[0]}." for run_id in methods}))
    ranges: dict[str, dict[str, Range]] = {}
    with suppress(OSError):
        for record in _records(store_at(results), runs):
            for name, run_id in record["ids"].items():
                if run_id in methods and run_id not in ranges:
                    ranges[run_id] = _ranges(record["studies"][name]["ranges"], methods[run_id], declared)
    return ranges


def range_of(study: Study, name: str, searched: Searched, declared: Ranges) -> Range | None:
    """The range in which a study searched a parameter, otherwise the one that its method declares."""
    return searched.get(study.run_id, {}).get(name) or declared.get(name, {}).get(study.method)


def _ranges(ends: Mapping[str, list[float]], method: str, declared: Ranges) -> dict[str, Range]:
    ranges = {}
    for parameter, (low, high) in ends.items():
        axis = declared.get(f"param_{parameter}", {}).get(method)
        ranges[f"param_{parameter}"] = Range(low, high, axis is not None and axis.log and low > 0)
    return ranges


def _records(store: Store, runs: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """The records whose files begin with some names, the newest first."""
    written = store.files("_runs")
    for file in sorted(written, key=lambda name: written[name], reverse=True):
        if file.startswith(runs):
            with suppress(yaml.YAMLError, ValueError, RecursionError, FileNotFoundError):
                record = yaml.load(store.read(file).to_pybytes(), _LOADER)
                if _is_record(record):
                    yield record


def _is_record(content: Any) -> bool:
    ids, studies = (content.get(key) if isinstance(content, dict) else None for key in ("ids", "studies"))
    return (
        isinstance(ids, dict)
        and isinstance(studies, dict)
        and all(isinstance(run_id, str) and _has_ranges(studies.get(name)) for name, run_id in ids.items())
    )


def _has_ranges(study: Any) -> bool:
    ranges = study.get("ranges") if isinstance(study, dict) else None
    return isinstance(ranges, dict) and all(map(_are_ends, ranges.values()))


def _are_ends(ends: Any) -> bool:
    if not isinstance(ends, list) or not all(isinstance(end, (int, float)) for end in ends):
        return False
    return len(ends) == 2 and -math.inf < ends[0] <= ends[1] < math.inf
