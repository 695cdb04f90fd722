"""A search on a GPU: shares are measured, recorded and used, and enlarged if memory runs out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

PLAN = """
name: on-gpu
dataset: digits
model: cnn2
task: full_class
methods: [{method}]
training: {{epochs: 2}}
search: {{forget: "8", trials: {count}}}
resources: {resources}
"""
UNLEARN = "from unlearnbench.command import main; main()"
HUNGRY = '''
"""A method that takes a part of the memory."""
from dataclasses import dataclass
from benchmarks.access import Access
from benchmarks.hyperparameters import param
from benchmarks.methods.base import Method, register

@dataclass(frozen=True)
class Params:
    part: float = param(0.3, 0.29, 0.31, doc="share of the memory")

@register
class Hungry(Method):
    """Takes a part of the memory."""
    name, summary, source, access, Params = "hungry", "takes memory", "tests", Access.MODEL, Params

    def unlearn(self, model, data, params, rng):
        import torch
        total = torch.cuda.get_device_properties(0).total_memory
        torch.empty(int(params.part * total), dtype=torch.uint8, device="cuda")
        return model
'''


@pytest.fixture
def search(tmp_path: Path) -> Callable[[str, int, str], pd.DataFrame]:
    """Runs a search on the GPU and returns its rows in the order of time."""
    (tmp_path / "hungry.py").write_text(HUNGRY)
    plugin = tmp_path / "hungry-1.0.dist-info"
    plugin.mkdir()
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: hungry\nVersion: 1.0\n")
    (plugin / "entry_points.txt").write_text("[unlearnbench.methods]\nhungry = hungry\n")
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])

    def run(method: str, count: int, resources: str) -> pd.DataFrame:
        (tmp_path / "plan.yaml").write_text(PLAN.format(method=method, count=count, resources=resources))
        done = subprocess.run(
            [sys.executable, "-c", UNLEARN, "search", "plan.yaml", "--results", "results"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        return pd.read_parquet(tmp_path / "results" / "trials").sort_values("started_at")

    return run


def test_shares_are_measured_first_and_used_then(search: Callable[[str, int, str], pd.DataFrame]) -> None:
    trials = search("jit", 24, "{gpus_per_trial: auto}")
    print(trials[["gpu_fraction", "gpu_kind", "gpu_peak_mb", "gpu_total_mb", "gpu_busy", "energy_j"]])
    assert (trials.state == "complete").all()
    first = trials.iloc[0]
    assert first.gpu_fraction == 1.0
    assert 0 < first.gpu_peak_mb < first.gpu_total_mb
    assert first.energy_j >= 0
    assert trials.gpu_fraction.iloc[-1] < 1.0


def test_a_trial_without_enough_memory_runs_again_with_a_larger_share(
    search: Callable[[str, int, str], pd.DataFrame],
) -> None:
    trials = search("hungry", 4, "{gpus_per_trial: 0.25}")
    print(trials[["gpu_fraction", "attempts", "gpu_out_of_memory", "state", "error"]])
    assert (trials.state == "complete").all()
    assert (trials.gpu_fraction >= 0.5).all()
