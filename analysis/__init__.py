"""Analysis of results: tables, breakdowns, sensitivity and the report, from Parquet files alone.

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
    from analysis.monitoring.watched import runs as runs
    from analysis.monitoring.watched import status as status
    from analysis.report.render import write_report as write_report
    from analysis.results.load import classes as classes
    from analysis.results.load import columns as columns
    from analysis.results.load import ranges as ranges
    from analysis.results.load import samples as samples
    from analysis.results.load import trials as trials

_HOME = {
    "AnalysisError": "analysis.errors",
    "by_class": "analysis.breakdown",
    "classes": "analysis.results.load",
    "collateral": "analysis.breakdown",
    "columns": "analysis.results.load",
    "forgetting_quality": "analysis.forgetting",
    "overall": "analysis.breakdown",
    "ranges": "analysis.results.load",
    "runs": "analysis.monitoring.watched",
    "samples": "analysis.results.load",
    "status": "analysis.monitoring.watched",
    "trials": "analysis.results.load",
    "write_report": "analysis.report.render",
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
