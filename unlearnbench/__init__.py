"""Unlearnbench: hyper-parameter search and honest benchmarks for machine unlearning.

`import unlearnbench as ub` is fast; every name is loaded on first use.
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
    from analysis.monitoring.watched import runs as runs
    from analysis.monitoring.watched import status as status
    from analysis.named_tables import table as table
    from analysis.report.render import write_report as report
    from analysis.results.load import classes as classes
    from analysis.results.load import columns as columns
    from analysis.results.load import inversions as inversions
    from analysis.results.load import progress as progress
    from analysis.results.load import samples as samples
    from analysis.results.load import steps as steps
    from analysis.results.load import trials as trials
    from analysis.standings import standing as standing
    from benchmarks.errors import BenchmarkError as BenchmarkError
    from benchmarks.scenarios.scenario import Scenario as Scenario
    from benchmarks.trial.prepared import Prepared as Prepared
    from benchmarks.trial.prepared import prepare as prepare_scenario
    from benchmarks.trial.run import TrialResult as TrialResult
    from benchmarks.trial.run import run_trial as run_trial
    from cluster.errors import ClusterError as ClusterError
    from search.errors import Interrupted as Interrupted
    from search.errors import SearchError as SearchError
    from search.functions import benchmark as benchmark
    from search.functions import plans as plans
    from search.functions import prepare as prepare
    from search.functions import run as run
    from search.functions import search as search
    from search.functions import sensitivity as sensitivity
    from search.models.application import Unlearned as Unlearned
    from search.models.application import apply as apply
    from search.models.application import unlearned as unlearned
    from search.plans.plan import Plan as Plan
    from search.results.deletion import delete_run as delete_run
    from search.results.merging import merge as merge
    from search.results.stored_metrics import measure_stored as measure_stored
    from search.stages.forecast import Forecast as Forecast
    from search.stages.forecast import forecast as forecast
    from search.stages.outcomes import BenchmarkResult as BenchmarkResult
    from search.stages.outcomes import PlanResult as PlanResult
    from search.stages.outcomes import SearchResult as SearchResult
    from search.stages.outcomes import SensitivityResult as SensitivityResult
    from search.tools.dashboard import dashboard as dashboard
    from search.tools.export import export_csv as export_csv
    from search.tools.export import export_optuna as export_optuna
    from search.tools.importing import import_optuna as import_optuna

    __version__: str

# Name -> its module; `module:name` if its name differs in the module, and `module:` for a module itself.
# It must agree with the imports above, which a test checks.
_HOME = {
    "AnalysisError": "analysis.errors",
    "BenchmarkError": "benchmarks.errors",
    "BenchmarkResult": "search.stages.outcomes",
    "ClusterError": "cluster.errors",
    "Forecast": "search.stages.forecast",
    "Interrupted": "search.errors",
    "Plan": "search.plans.plan",
    "PlanResult": "search.stages.outcomes",
    "Prepared": "benchmarks.trial.prepared",
    "Scenario": "benchmarks.scenarios.scenario",
    "SearchError": "search.errors",
    "SearchResult": "search.stages.outcomes",
    "SensitivityResult": "search.stages.outcomes",
    "TrialResult": "benchmarks.trial.run",
    "Unlearned": "search.models.application",
    "answer": "analysis.answer",
    "apply": "search.models.application",
    "benchmark": "search.functions",
    "by_class": "analysis.breakdown",
    "claims": "analysis.claims",
    "claims_by_forget": "analysis.claims",
    "classes": "analysis.results.load",
    "columns": "analysis.results.load",
    "dashboard": "search.tools.dashboard",
    "delete_run": "search.results.deletion",
    "export_csv": "search.tools.export",
    "export_optuna": "search.tools.export",
    "figure": "analysis.figures.catalogue",
    "forecast": "search.stages.forecast",
    "import_optuna": "search.tools.importing",
    "measure_stored": "search.results.stored_metrics",
    "inversions": "analysis.results.load",
    "merge": "search.results.merging",
    "overall": "analysis.breakdown",
    "plans": "search.functions",
    "plots": "analysis.figures:",
    "prepare": "search.functions",
    "prepare_scenario": "benchmarks.trial.prepared:prepare",
    "progress": "analysis.results.load",
    "report": "analysis.report.render:write_report",
    "run": "search.functions",
    "run_trial": "benchmarks.trial.run",
    "runs": "analysis.monitoring.watched",
    "samples": "analysis.results.load",
    "search": "search.functions",
    "sensitivity": "search.functions",
    "standing": "analysis.standings",
    "status": "analysis.monitoring.watched",
    "steps": "analysis.results.load",
    "table": "analysis.named_tables",
    "trials": "analysis.results.load",
    "unlearned": "search.models.application",
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
    from unlearnbench.paths import put_first

    put_first()
    path, colon, attribute = _HOME[name].partition(":")
    with warnings.catch_warnings():
        # Optuna imports tqdm, which warns in notebooks without ipywidgets although no bar is shown here
        warnings.filterwarnings("ignore", "IProgress not found")
        module = importlib.import_module(path)
    return module if colon and not attribute else getattr(module, attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, "__version__"])
