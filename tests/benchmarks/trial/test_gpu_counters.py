"""Joules and use as the driver counts them, with a driver's library made of Python; nothing without one."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from benchmarks.trial import gpu_counters, meter
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

    def nvmlDeviceGetUtilizationRates(self, handle: object, value: object) -> int:  # noqa: N802
        value._obj.gpu, value._obj.memory = 80, 30  # type: ignore[attr-defined]
        return 0


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    made = Driver()
    monkeypatch.setattr(gpu_counters, "_library", lambda: made)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1"))
    gpu_counters._gpu.cache_clear()
    yield made
    gpu_counters._gpu.cache_clear()


def test_joules_are_those_of_the_driver(driver: Driver) -> None:
    driver.millijoules = 12_500
    assert gpu_counters.joules(GPU) == 12.5


def test_a_gpu_is_as_busy_as_the_driver_counts(driver: Driver) -> None:
    assert gpu_counters.utilization(GPU) == 80.0
    assert gpu_counters.utilization(torch.device("cpu")) is None


def test_a_gpu_that_does_not_count_has_none(driver: Driver) -> None:
    driver.millijoules = -1
    assert gpu_counters.joules(GPU) is None


def test_a_gpu_that_the_library_does_not_know_has_none(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="2"))
    assert gpu_counters.joules(GPU) is None


def test_without_the_library_no_counter_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_counters, "_LIBRARY", "libabsent.so.1")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1"))
    gpu_counters._gpu.cache_clear()
    assert gpu_counters.joules(GPU) is None
    assert gpu_counters.utilization(GPU) is None
    gpu_counters._gpu.cache_clear()


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
