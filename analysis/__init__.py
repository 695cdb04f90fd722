"""Reading the results: tables, breakdowns, sensitivity and the report, from Parquet files alone.

Importing this package is light; the names below load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.breakdown import by_class as by_class
    from analysis.breakdown import collateral as collateral
    from analysis.breakdown import overall as overall
    from analysis.errors import AnalysisError as AnalysisError
    from analysis.forgetting import forgetting_quality as forgetting_quality
    from analysis.load import classes as classes
    from analysis.load import columns as columns
    from analysis.load import ranges as ranges
    from analysis.load import samples as samples
    from analysis.load import trials as trials
    from analysis.report import write_report as write_report
    from analysis.watched import runs as runs
    from analysis.watched import status as status

_HOME = {
    "AnalysisError": "analysis.errors",
    "by_class": "analysis.breakdown",
    "classes": "analysis.load",
    "collateral": "analysis.breakdown",
    "columns": "analysis.load",
    "forgetting_quality": "analysis.forgetting",
    "overall": "analysis.breakdown",
    "ranges": "analysis.load",
    "runs": "analysis.watched",
    "samples": "analysis.load",
    "status": "analysis.watched",
    "trials": "analysis.load",
    "write_report": "analysis.report",
}
__all__ = [
    "AnalysisError",
    "by_class",
    "classes",
    "collateral",
    "columns",
    "forgetting_quality",
    "overall",
    "ranges",
    "runs",
    "samples",
    "status",
    "trials",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'analysis' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
