"""Joules as the driver counts them, with a driver's library made of Python; nothing where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from benchmarks.trial import energy, meter
from benchmarks.trial.meter import Meter

GPU = torch.device("cuda", 0)


class Driver:
    """NVML with one GPU, "GPU-1", whose counter in millijoules is set by the test."""

    def __init__(self) -> None:
        self.millijoules = 0

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: object) -> int:  # noqa: N802
        return 0 if uuid == b"GPU-1" else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object, value: object) -> int:  # noqa: N802
        if self.millijoules < 0:
            return 3  # not supported
        value._obj.value = self.millijoules  # type: ignore[attr-defined]
        return 0


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    made = Driver()
    monkeypatch.setattr(energy, "_library", lambda: made)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1"))
    energy._handle.cache_clear()
    yield made
    energy._handle.cache_clear()


def test_joules_are_those_of_the_driver(driver: Driver) -> None:
    driver.millijoules = 12_500
    assert energy.joules(GPU) == 12.5


def test_a_gpu_that_does_not_count_has_none(driver: Driver) -> None:
    driver.millijoules = -1
    assert energy.joules(GPU) is None


def test_a_gpu_that_the_library_does_not_know_has_none(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="2"))
    assert energy.joules(GPU) is None


def test_without_the_library_no_counter_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "_LIBRARY", "libabsent.so.1")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1"))
    energy._handle.cache_clear()
    assert energy.joules(GPU) is None
    energy._handle.cache_clear()


def test_a_cpu_has_none() -> None:
    clock = Meter(torch.device("cpu"))
    with clock.unlearning():
        pass
    assert clock.cost().energy_j is None


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> Meter:
    """A meter of a GPU that is not there."""
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 0)
    return Meter(GPU)


def test_only_the_method_counts_and_its_parts_once(gpu: Meter, driver: Driver) -> None:
    def use(joules: int) -> None:
        driver.millijoules += 1000 * joules

    use(1000)
    with gpu.unlearning():
        use(1)
        with gpu.paused():
            use(100)
            _, spent = gpu.apart(lambda: use(7))
        gpu.add(spent, reused=False)
        use(2)
    with gpu.evaluating():
        use(500)
    assert spent.energy_j == 7
    assert gpu.cost().energy_j == 10


def test_a_part_that_nobody_counted_leaves_the_sum_unknown(gpu: Meter) -> None:
    with gpu.unlearning():
        gpu.add(meter.Spent(1.0, 1, 1, 1.0), reused=True)
    assert gpu.cost().energy_j is None
