"""The use of a GPU, on a machine without any: CUDA's functions record how they are called."""

from __future__ import annotations

import pytest
import torch

from cluster.slots import Slots
from search.engine import gpu_use
from search.engine.gpu_use import keep_to


def test_a_worker_is_limited_to_its_share_less_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[float, torch.device]] = []

    class Properties:
        total_memory = 16_384 * 2**20

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: limits.append((share, device))
    )
    keep_to(0.25, torch.device(Slots(1, 1, "auto").device))
    [(share, device)] = limits
    assert share == 0.25 - gpu_use.CONTEXT_MB / 16_384
    assert device.index == 0  # torch refuses to limit "cuda" without a number
