"""An optimiser takes steps without torch's compiler, and is kept from being compiled once that is there."""

from __future__ import annotations

import subprocess
import sys

STEPS = """
import sys
import torch
from benchmarks.compiler import postpone_compiler
postpone_compiler()
postpone_compiler()
model = torch.nn.Linear(2, 1)
def step(kind):
    optimiser = kind(model.parameters(), lr=.1)
    optimiser.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    optimiser.load_state_dict(optimiser.state_dict())
step(torch.optim.SGD)
step(torch.optim.Adam)
print("torch._dynamo" in sys.modules)
import torch._dynamo
step(torch.optim.SGD)
plain = torch.optim.Optimizer.add_param_group.__wrapped__
print(getattr(plain, "__dynamo_disable").__module__)
"""


def test_the_compiler_is_imported_by_nobody_who_does_not_compile() -> None:
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    imported, kept_by = done.stdout.split()
    assert imported == "False"
    assert kept_by.startswith("torch._dynamo")
