"""The row of a point that is run with several seeds: its figures are the means over the seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from analysis.results.layout import Row
from benchmarks.metrics import metrics

_COSTS = ("unlearn_s", "shared_s", "reused_s", "eval_s", "overhead_s", "energy_j")
_COUNTS = ("samples_forward", "samples_backward")
_PEAKS = ("peak_memory_mb", "gpu_peak_mb", "gpu_busy")


def averaged(rows: Sequence[Row]) -> Row:
    """The row of a point from the rows of its seeds; the first failed row, if there is one.

    Figures, seconds and joules are means, and missing if a seed lacks them; peaks are maxima.
    """
    failed = next((row for row in rows if row["state"] != "complete"), None)
    if failed is not None:
        return failed
    row = dict(rows[0])
    targets = [name for name in row if name.startswith("target_")]
    names = (*(m.name for m in metrics), *targets, "objective", *_COSTS)
    row |= {name: _mean([r[name] for r in rows]) for name in names if name in row}
    row |= {name: round(statistics.fmean(r[name] for r in rows)) for name in _COUNTS if name in row}
    row |= {name: _largest([r[name] for r in rows]) for name in _PEAKS if name in row}
    objectives = [r["objective"] for r in rows]
    if None not in objectives:
        row["objective_std"] = statistics.stdev(objectives)
    row["eval_ended"] = next((r["eval_ended"] for r in rows if r["eval_ended"]), "")
    row["finished_at"] = rows[-1]["finished_at"]
    return row


def _largest(values: Sequence[float | None]) -> float | None:
    return max((v for v in values if v is not None), default=None)


def _mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else statistics.fmean(v for v in values if v is not None)
