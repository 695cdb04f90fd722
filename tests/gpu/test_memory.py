"""A worker keeps to its share of a GPU's memory, and a trial that needs more fails alone."""

from __future__ import annotations

import subprocess
import sys

# The limit holds for the whole life of a process
SCRIPT = """
import torch
from benchmarks import Scenario, prepare, run_trial
from benchmarks.access import Access
from benchmarks.methods import Method
from benchmarks.training.recipes import Recipe
from search.engine.gpu_use import keep_to, watched

class Hungry(Method):
    '''Takes half of the memory.'''
    name, summary, source, access = "hungry", "takes half of the memory", "tests", Access.MODEL

    def unlearn(self, model, data, params, rng):
        total = torch.cuda.get_device_properties(0).total_memory
        torch.empty(total // 2, dtype=torch.uint8, device="cuda")
        return model

device = torch.device("cuda", 0)
ready = prepare(Scenario("digits", "cnn2", "full_class", "8"), recipe=Recipe(epochs=1), device=device)
with watched(device) as usage:
    whole = run_trial(ready, Hungry())
footprint = usage.footprint()
print(whole.state, footprint)
torch.cuda.empty_cache()
keep_to(0.25, device)
failed = run_trial(ready, Hungry())
print(failed.state, failed.out_of_memory, failed.error)
after = run_trial(ready, "jit")
print(after.state)
assert (whole.state, after.state) == ("complete", "complete")
assert (failed.state, failed.out_of_memory) == ("failed", True)
assert footprint["gpu_peak_mb"] > 0.5 * footprint["gpu_total_mb"], footprint
"""


def test_a_trial_over_its_share_fails_alone() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-2000:]
