"""Unlearnbench: hyper-parameter search and honest benchmarks for machine unlearning.

`import unlearnbench as ub` is light; every name below loads on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.breakdown import by_class as by_class
    from analysis.breakdown import overall as overall
    from analysis.errors import AnalysisError as AnalysisError
    from analysis.load import classes as classes
    from analysis.load import columns as columns
    from analysis.load import samples as samples
    from analysis.load import trials as trials
    from analysis.report import write_report as report
    from analysis.watched import runs as runs
    from analysis.watched import status as status
    from benchmarks.errors import BenchmarkError as BenchmarkError
    from benchmarks.prepared import Prepared as Prepared
    from benchmarks.prepared import prepare as prepare_scenario
    from benchmarks.scenarios import Scenario as Scenario
    from benchmarks.trial import TrialResult as TrialResult
    from benchmarks.trial import run_trial as run_trial
    from cluster.errors import ClusterError as ClusterError
    from search.dashboard import dashboard as dashboard
    from search.errors import SearchError as SearchError
    from search.export import export_csv as export_csv
    from search.export import export_optuna as export_optuna
    from search.plan import Plan as Plan

    __version__: str

# Name -> the module that has it, with another name there after a colon. Keep in step with the imports above.
_HOME = {
    "AnalysisError": "analysis.errors",
    "BenchmarkError": "benchmarks.errors",
    "ClusterError": "cluster.errors",
    "Plan": "search.plan",
    "Prepared": "benchmarks.prepared",
    "Scenario": "benchmarks.scenarios",
    "SearchError": "search.errors",
    "TrialResult": "benchmarks.trial",
    "by_class": "analysis.breakdown",
    "classes": "analysis.load",
    "columns": "analysis.load",
    "dashboard": "search.dashboard",
    "export_csv": "search.export",
    "export_optuna": "search.export",
    "overall": "analysis.breakdown",
    "prepare_scenario": "benchmarks.prepared:prepare",
    "report": "analysis.report:write_report",
    "run_trial": "benchmarks.trial",
    "runs": "analysis.watched",
    "samples": "analysis.load",
    "status": "analysis.watched",
    "trials": "analysis.load",
}
__all__ = [
    "AnalysisError",
    "BenchmarkError",
    "ClusterError",
    "Plan",
    "Prepared",
    "Scenario",
    "SearchError",
    "TrialResult",
    "by_class",
    "classes",
    "columns",
    "dashboard",
    "export_csv",
    "export_optuna",
    "overall",
    "prepare_scenario",
    "report",
    "run_trial",
    "runs",
    "samples",
    "status",
    "trials",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("unlearnbench")
    if name not in _HOME:
        raise AttributeError(f"module 'unlearnbench' has no attribute '{name}'")
    module, _, there = _HOME[name].partition(":")
    return getattr(importlib.import_module(module), there or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, "__version__"])
