"""A trial on a GPU has the result of a CPU, repeats itself, and measures its cost.

Random numbers are drawn on the device of a trial, so for a comparison both devices draw on the CPU; and
PyTorch multiplies in full precision, not in TF32.
"""

from __future__ import annotations

import pytest
import torch

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.methods import methods
from benchmarks.metrics import metrics
from benchmarks.training.recipes import Recipe
from benchmarks.trial.run import TrialResult
from tests.benchmarks.test_contracts import QUICK

# Of the change of the weights: moving the original weights by a millionth alone moves the result by up to .02
TOLERANCE = 0.05


@pytest.fixture(scope="session")
def on_cpu(gpu: None, short: Recipe) -> Prepared:
    scenario = Scenario("digits", "cnn2", "full_class", "8")
    return prepare(scenario, recipe=short, record=True, keep_retrained=True, references=2)


@pytest.fixture(scope="session")
def on_gpu(on_cpu: Prepared) -> Prepared:
    return Prepared.unpack(on_cpu.packed, on_cpu.data, "cuda:0")


@pytest.fixture
def alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both devices draw the same random numbers and multiply in full precision."""
    on_a_cpu = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": on_a_cpu())
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def _trial(prepared: Prepared, name: str) -> TrialResult:
    result = run_trial(prepared, name, QUICK.get(name), seed=1)
    assert result.state == "complete", result.error
    return result


def _weights(result: TrialResult) -> torch.Tensor:
    assert result.model is not None
    return torch.cat([p.detach().double().cpu().flatten() for p in result.model.parameters()])


@pytest.mark.parametrize("name", [name for name in methods.names() if name != "original"])
def test_a_method_changes_weights_as_on_a_cpu(
    name: str, on_cpu: Prepared, on_gpu: Prepared, alike: None
) -> None:
    cpu, gpu = _trial(on_cpu, name), _trial(on_gpu, name)
    original = torch.cat([p.detach().double().flatten() for p in on_cpu.original.parameters()])
    change = float((_weights(cpu) - original).norm())
    off = float((_weights(gpu) - _weights(cpu)).norm()) / change
    print(f"{name}: off by {off:.1e} of the change, gaps {cpu.metrics['gap']:.2f} {gpu.metrics['gap']:.2f}")
    assert gpu.cost.samples_forward == cpu.cost.samples_forward
    assert gpu.cost.samples_backward == cpu.cost.samples_backward
    assert off < TOLERANCE


@pytest.mark.parametrize("name", methods.names())
def test_a_seed_repeats_a_trial(name: str, on_gpu: Prepared) -> None:
    assert torch.equal(_weights(_trial(on_gpu, name)), _weights(_trial(on_gpu, name)))


def test_the_cost_is_that_of_the_gpu(on_gpu: Prepared) -> None:
    cost = _trial(on_gpu, "ssd").cost
    assert 0 < cost.peak_memory_mb < 1_000
    assert cost.energy_j is not None
    assert cost.energy_j >= 0


@pytest.mark.parametrize("name", metrics.names())
def test_a_metric_is_that_of_a_cpu(name: str, on_cpu: Prepared, on_gpu: Prepared, alike: None) -> None:
    """Of the original model, so that only the measurement differs."""
    on_each = [run_trial(prepared, "original", metrics=[name]).metrics for prepared in (on_cpu, on_gpu)]
    print(f"{name}: {on_each[0][name]:.6g} {on_each[1][name]:.6g}")
    assert on_each[1][name] == pytest.approx(on_each[0][name], rel=0.01, abs=0.01, nan_ok=True)
