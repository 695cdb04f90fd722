"""Unlearnbench: hyper-parameter search and honest benchmarks for machine unlearning.

`import unlearnbench as ub` is light; every name below loads on first use.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis import figures as plots
    from analysis.answer import answer as answer
    from analysis.breakdown import by_class as by_class
    from analysis.breakdown import overall as overall
    from analysis.claims import claims as claims
    from analysis.claims import claims_by_forget as claims_by_forget
    from analysis.errors import AnalysisError as AnalysisError
    from analysis.figures.catalogue import figure as figure
    from analysis.load import classes as classes
    from analysis.load import columns as columns
    from analysis.load import inversions as inversions
    from analysis.load import progress as progress
    from analysis.load import samples as samples
    from analysis.load import steps as steps
    from analysis.load import trials as trials
    from analysis.named_tables import table as table
    from analysis.report import write_report as report
    from analysis.standings import standing as standing
    from analysis.watched import runs as runs
    from analysis.watched import status as status
    from benchmarks.errors import BenchmarkError as BenchmarkError
    from benchmarks.prepared import Prepared as Prepared
    from benchmarks.prepared import prepare as prepare_scenario
    from benchmarks.scenarios import Scenario as Scenario
    from benchmarks.trial import TrialResult as TrialResult
    from benchmarks.trial import run_trial as run_trial
    from cluster.errors import ClusterError as ClusterError
    from search.application import Unlearned as Unlearned
    from search.application import apply as apply
    from search.application import unlearned as unlearned
    from search.dashboard import dashboard as dashboard
    from search.deletion import delete_run as delete_run
    from search.errors import Interrupted as Interrupted
    from search.errors import SearchError as SearchError
    from search.export import export_csv as export_csv
    from search.export import export_optuna as export_optuna
    from search.forecast import Forecast as Forecast
    from search.forecast import forecast as forecast
    from search.functions import benchmark as benchmark
    from search.functions import plans as plans
    from search.functions import prepare as prepare
    from search.functions import run as run
    from search.functions import search as search
    from search.functions import sensitivity as sensitivity
    from search.importing import import_optuna as import_optuna
    from search.merging import merge as merge
    from search.outcomes import BenchmarkResult as BenchmarkResult
    from search.outcomes import PlanResult as PlanResult
    from search.outcomes import SearchResult as SearchResult
    from search.outcomes import SensitivityResult as SensitivityResult
    from search.plan import Plan as Plan
    from search.stored_metrics import measure_stored as measure_stored

    __version__: str

# Name -> the module that has it, with another name there after a colon, or the module itself before a colon.
# Keep in step with the imports above.
_HOME = {
    "AnalysisError": "analysis.errors",
    "BenchmarkError": "benchmarks.errors",
    "BenchmarkResult": "search.outcomes",
    "ClusterError": "cluster.errors",
    "Forecast": "search.forecast",
    "Interrupted": "search.errors",
    "Plan": "search.plan",
    "PlanResult": "search.outcomes",
    "Prepared": "benchmarks.prepared",
    "Scenario": "benchmarks.scenarios",
    "SearchError": "search.errors",
    "SearchResult": "search.outcomes",
    "SensitivityResult": "search.outcomes",
    "TrialResult": "benchmarks.trial",
    "Unlearned": "search.application",
    "answer": "analysis.answer",
    "apply": "search.application",
    "benchmark": "search.functions",
    "by_class": "analysis.breakdown",
    "claims": "analysis.claims",
    "claims_by_forget": "analysis.claims",
    "classes": "analysis.load",
    "columns": "analysis.load",
    "dashboard": "search.dashboard",
    "delete_run": "search.deletion",
    "export_csv": "search.export",
    "export_optuna": "search.export",
    "figure": "analysis.figures.catalogue",
    "forecast": "search.forecast",
    "import_optuna": "search.importing",
    "measure_stored": "search.stored_metrics",
    "inversions": "analysis.load",
    "merge": "search.merging",
    "overall": "analysis.breakdown",
    "plans": "search.functions",
    "plots": "analysis.figures:",
    "prepare": "search.functions",
    "prepare_scenario": "benchmarks.prepared:prepare",
    "progress": "analysis.load",
    "report": "analysis.report:write_report",
    "run": "search.functions",
    "run_trial": "benchmarks.trial",
    "runs": "analysis.watched",
    "samples": "analysis.load",
    "search": "search.functions",
    "sensitivity": "search.functions",
    "standing": "analysis.standings",
    "status": "analysis.watched",
    "steps": "analysis.load",
    "table": "analysis.named_tables",
    "trials": "analysis.load",
    "unlearned": "search.application",
}
__all__ = [
    "AnalysisError",
    "BenchmarkError",
    "BenchmarkResult",
    "ClusterError",
    "Forecast",
    "Interrupted",
    "Plan",
    "PlanResult",
    "Prepared",
    "Scenario",
    "SearchError",
    "SearchResult",
    "SensitivityResult",
    "TrialResult",
    "Unlearned",
    "answer",
    "apply",
    "benchmark",
    "by_class",
    "claims",
    "claims_by_forget",
    "classes",
    "columns",
    "dashboard",
    "delete_run",
    "export_csv",
    "export_optuna",
    "figure",
    "forecast",
    "import_optuna",
    "inversions",
    "measure_stored",
    "merge",
    "overall",
    "plans",
    "plots",
    "prepare",
    "prepare_scenario",
    "progress",
    "report",
    "run",
    "run_trial",
    "runs",
    "samples",
    "search",
    "sensitivity",
    "standing",
    "status",
    "steps",
    "table",
    "trials",
    "unlearned",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("unlearnbench")
    if name not in _HOME:
        raise AttributeError(f"module 'unlearnbench' has no attribute '{name}'")
    from unlearnbench.paths import own_first

    own_first()
    path, colon, attribute = _HOME[name].partition(":")
    with warnings.catch_warnings():
        # Of tqdm, which Optuna imports, in a notebook without ipywidgets: none of its bars is shown here
        warnings.filterwarnings("ignore", "IProgress not found")
        module = importlib.import_module(path)
    return module if colon and not attribute else getattr(module, attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, "__version__"])
