"""Methods that misbehave, for the tests beside this file; workers find them as a plug-in."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.access import Access, TrialData
from benchmarks.hyperparameters import param
from benchmarks.methods.base import Method, register


@dataclass(frozen=True)
class Strength:
    lr: float = param(0.01, 1e-4, 1.0, log=True, doc="how much noise is added to the weights")


class Shaking(Method):
    """Adds noise to the weights: the shortest trial there is."""

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
        """Whatever the method does wrong."""


@register
class Shake(Shaking):
    """Does nothing wrong."""

    name = "shake"


@register
class Slow(Shaking):
    """Takes a while, and as long as a file is there that the test names."""

    name = "slow"

    def misbehave(self, params: Strength) -> None:
        time.sleep(float(os.environ.get("FAULTY_SECONDS", "0.3")))
        while Path(os.environ.get("FAULTY_HOLD", "/nowhere")).exists():
            time.sleep(0.1)


@register
class Stuck(Shaking):
    """Never returns for some values, and does not even let go of the interpreter."""

    name = "stuck"

    def misbehave(self, params: Strength) -> None:
        if params.lr > 0.5:
            import re

            re.match(r"(a+)+$", "a" * 64 + "b")  # backtracks for ages inside one call of C


@register
class Loud(Shaking):
    """Prints as many MiB as it is told."""

    name = "loud"

    def misbehave(self, params: Strength) -> None:
        line = "x" * 1023
        for _ in range(1024 * int(os.environ.get("FAULTY_MB", "10"))):
            print(line)


@register
class Hungry(Shaking):
    """Waits for so many processes, and runs out of memory when too many of them are on one GPU."""

    name = "hungry"

    def misbehave(self, params: Strength) -> None:
        import torch

        device = Path(os.environ["FAULTY_FOLDER"]) / f"gpu{os.environ['CUDA_VISIBLE_DEVICES']}"
        device.mkdir(exist_ok=True)
        (device / str(os.getpid())).touch()
        until = time.monotonic() + 60
        while len(list(device.parent.glob("*/*"))) < int(os.environ["FAULTY_AWAITED"]):
            if time.monotonic() > until:
                break
            time.sleep(0.1)
        alive = sum(Path("/proc", process.name).exists() for process in device.iterdir())
        if alive > int(os.environ["FAULTY_MOST"]):
            raise torch.OutOfMemoryError("as if")
