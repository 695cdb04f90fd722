"""The cost of a method: its seconds, peak memory and processed images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from benchmarks.trial.gpu_counters import joules

T = TypeVar("T")


@dataclass(frozen=True)
class Spent:
    """The cost of a part of a method: seconds, images forward and backward, MiB at its peak, joules."""

    seconds: float
    samples_forward: int
    samples_backward: int
    peak_memory_mb: float
    energy_j: float | None = None


@dataclass(frozen=True)
class Cost:
    """Cost of a trial.

    Attributes:
        unlearn_s: Seconds of the method alone, with the device synchronised before and after: the cost of an
            unlearning, including parts that this trial reused from others.
        eval_s: Seconds in evaluation and metrics.
        peak_memory_mb: MiB at the method's peak: allocated on the GPU, or resident in the process.
        samples_forward, samples_backward: Images that passed forward through a network, and backward, inside
            the method.
        shared_s: Seconds of unlearn_s in parts that do not depend on hyper-parameters, see `TrialData.once`.
        reused_s: Seconds of unlearn_s that this trial did not spend, because another computed the part.
        energy_j: Joules that the GPU used while the method ran, for all its users; None if its driver does
            not count them, and on a CPU.
    """

    unlearn_s: float
    eval_s: float
    peak_memory_mb: float
    samples_forward: int
    samples_backward: int
    shared_s: float = 0.0
    reused_s: float = 0.0
    energy_j: float | None = None

    @property
    def spent_s(self) -> float:
        """Seconds that the trial itself spent in the method and in evaluation."""
        return self.unlearn_s - self.reused_s + self.eval_s


class Meter:
    """Measures a trial on a device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._hooks: set[int] = set()
        self._clock = ""  # the running part of the method: "unlearn" or "part"
        self._seconds = {"unlearn": 0.0, "eval": 0.0, "part": 0.0, "shared": 0.0, "reused": 0.0}
        self._began: dict[str, float] = {}
        self._forward = 0
        self._backward = 0
        self._peak = 0.0
        self._energy: dict[str, float | None] = {"unlearn": 0.0, "part": 0.0}
        self._energy_before: float | None = None

    def watch(self, model: nn.Module) -> None:
        """Count the images that pass through a network and its copies."""

        def after_forward(_module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            if not self._clock or not isinstance(output, torch.Tensor):
                return
            count = len(output)
            self._forward += count
            if output.requires_grad:
                output.register_hook(lambda _gradient: self._count_backward(count))

        self._hooks.add(model.register_forward_hook(after_forward).id)

    def release(self, model: nn.Module) -> None:
        """Remove the counter from a network or a copy, which can then be pickled again."""
        for module in model.modules():
            for hook in self._hooks:
                module._forward_hooks.pop(hook, None)

    def _count_backward(self, count: int) -> None:
        self._backward += count

    @contextmanager
    def unlearning(self) -> Iterator[None]:
        """A context whose cost counts as the method's."""
        self._reset_peak()
        with self._running("unlearn"):
            yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A context whose cost does not count as the method's."""
        clock = self._clock
        if clock:
            self._halt()
        try:
            yield
        finally:
            if clock:
                self._reset_peak()  # without the paused part
                self._run(clock)

    def apart(self, part: Callable[[], T]) -> tuple[T, Spent]:
        """Call a part of the method while the method is paused; return its result and its cost.

        `add` then makes that a cost of the trial.
        """
        forward, backward = self._forward, self._backward
        self._seconds["part"], self._energy["part"] = 0.0, 0.0
        self._reset_peak()
        try:
            with self._running("part"):
                value = part()
        except BaseException:
            self._seconds["unlearn"] += self._seconds["part"]
            self._energy["unlearn"] = _sum(self._energy["unlearn"], self._energy["part"])
            raise
        spent = Spent(
            seconds=self._seconds["part"],
            samples_forward=self._forward - forward,
            samples_backward=self._backward - backward,
            peak_memory_mb=self._read_peak(),
            energy_j=self._energy["part"],
        )
        self._forward, self._backward = forward, backward
        return value, spent

    def add(self, spent: Spent, reused: bool) -> None:
        """Add a shared part of the method, whether this trial computed it or reuses it."""
        self._seconds["unlearn"] += spent.seconds
        self._seconds["shared"] += spent.seconds
        self._seconds["reused"] += spent.seconds if reused else 0.0
        self._forward += spent.samples_forward
        self._backward += spent.samples_backward
        self._peak = max(self._peak, spent.peak_memory_mb)
        self._energy["unlearn"] = _sum(self._energy["unlearn"], spent.energy_j)

    def count(self, forward: int, backward: int) -> None:
        """Add images that no hook sees."""
        self._forward += forward
        self._backward += backward

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """A context whose cost counts as evaluation."""
        with self._timed("eval"):
            yield

    def cost(self) -> Cost:
        """The cost measured so far."""
        return Cost(
            unlearn_s=self._seconds["unlearn"],
            eval_s=self._seconds["eval"],
            peak_memory_mb=self._peak,
            samples_forward=self._forward,
            samples_backward=self._backward,
            shared_s=self._seconds["shared"],
            reused_s=self._seconds["reused"],
            energy_j=self._energy["unlearn"] if self._device.type == "cuda" else None,
        )

    @contextmanager
    def _running(self, clock: str) -> Iterator[None]:
        self._run(clock)
        try:
            yield
        finally:
            self._halt()

    def _run(self, clock: str) -> None:
        self._clock = clock
        self._start(clock)
        self._energy_before = joules(self._device)

    def _halt(self) -> None:
        clock, self._clock = self._clock, ""
        self._stop(clock)
        before, after = self._energy_before, joules(self._device)
        used = None if before is None or after is None else after - before
        self._energy[clock] = _sum(self._energy[clock], used)
        self._peak = max(self._peak, self._read_peak())

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        self._start(what)
        try:
            yield
        finally:
            self._stop(what)

    def _start(self, what: str) -> None:
        self._synchronise()
        self._began[what] = time.perf_counter()

    def _stop(self, what: str) -> None:
        self._synchronise()
        self._seconds[what] += time.perf_counter() - self._began[what]

    def _synchronise(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _reset_peak(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            with suppress(OSError):  # Linux only; elsewhere the peak of the whole process applies
                Path("/proc/self/clear_refs").write_text("5")

    def _read_peak(self) -> float:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 2**20
        try:
            status = Path("/proc/self/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) / 2**10
        except (OSError, IndexError):
            import resource
            import sys

            unit = 1 if sys.platform == "darwin" else 2**10  # bytes on macOS, KiB elsewhere
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _sum(first: float | None, second: float | None) -> float | None:
    """The sum; None if a value is None."""
    return None if first is None or second is None else first + second
