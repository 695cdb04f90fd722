"""Methods that misbehave, for the tests of this package; workers load them as a plug-in.

Files in the folder that FAULTY_FOLDER names control them, so that their behaviour can change while a cluster
and its workers run.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import param
from benchmarks.methods.base import Method, register

FOLDER = Path(os.environ["FAULTY_FOLDER"])
HOLD, MOST, GPUS = FOLDER / "hold", FOLDER / "most-on-a-gpu", FOLDER / "gpus"
SECONDS = 0.3  # of a slow trial
MEGABYTES = int(os.environ.get("FAULTY_MB", "10"))  # that a loud trial prints


@dataclass(frozen=True)
class Strength:
    lr: float = param(0.01, 1e-4, 1.0, log=True, doc="how much noise is added to the weights")


class Shaking(Method):
    """Adds noise to the weights: the shortest possible trial."""

    summary = "noise on the weights"
    source = "tests"
    access = Access.FORGET
    Params = Strength

    def unlearn(self, model: Any, data: TrialData, params: Strength, rng: Any) -> Any:
        import torch

        self.misbehave(params)
        with torch.no_grad():
            for weight in model.parameters():
                weight += params.lr * torch.randn(weight.shape, generator=rng) * weight.std()
        return model

    def misbehave(self, params: Strength) -> None:
        """The misbehaviour of the method."""


@register
class Slow(Shaking):
    """Takes a while, and as long as the file HOLD exists."""

    name = "slow"

    def misbehave(self, params: Strength) -> None:
        time.sleep(SECONDS)
        while HOLD.exists():
            time.sleep(0.05)


@register
class Stuck(Shaking):
    """Never returns for some values, and does not release the interpreter's lock."""

    name = "stuck"

    def misbehave(self, params: Strength) -> None:
        if params.lr > 0.5:
            import re

            re.match(r"(a+)+$", "a" * 64 + "b")  # backtracks for ages inside a single call of C


@register
class Loud(Shaking):
    """Prints as many MiB as FAULTY_MB says."""

    name = "loud"

    def misbehave(self, params: Strength) -> None:
        line = "x" * 1023
        for _ in range(1024 * MEGABYTES):
            print(line)


@register
class Hungry(Shaking):
    """Waits until four processes have run one of its trials each; then runs out of memory if more processes
    are on a GPU than the file MOST, for which it waits, allows."""

    name = "hungry"

    def misbehave(self, params: Strength) -> None:
        import torch

        device = GPUS / f"gpu{os.environ['CUDA_VISIBLE_DEVICES']}"
        device.mkdir(parents=True, exist_ok=True)
        me = device / str(os.getpid())
        began = me.exists()
        me.touch()
        until = time.monotonic() + 60
        while time.monotonic() < until and not (MOST.exists() if began else len(list(GPUS.glob("*/*"))) >= 4):
            time.sleep(0.05)
        alive = sum(Path("/proc", process.name).exists() for process in device.iterdir())
        if MOST.exists() and alive > int(MOST.read_text()):
            raise torch.OutOfMemoryError("as if")
