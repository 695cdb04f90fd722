"""One unlearning trial in plain PyTorch: data sets, models, scenarios, methods, metrics.

Importing this package does not import torch; the names below load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.scenarios.scenario import Scenario as Scenario
    from benchmarks.trial.prepared import Prepared as Prepared
    from benchmarks.trial.prepared import prepare as prepare
    from benchmarks.trial.run import TrialResult as TrialResult
    from benchmarks.trial.run import run_trial as run_trial

_HOME = {
    "Scenario": "benchmarks.scenarios.scenario",
    "Prepared": "benchmarks.trial.prepared",
    "TrialResult": "benchmarks.trial.run",
    "prepare": "benchmarks.trial.prepared",
    "run_trial": "benchmarks.trial.run",
}
__all__ = ["Prepared", "Scenario", "TrialResult", "prepare", "run_trial"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'benchmarks' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
