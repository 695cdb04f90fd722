"""Reproducible random numbers and GPU kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A context with torch's global random state from a seed (for dropout and initialisation)."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def repeatable() -> Any:
    """A context in which cuDNN is deterministic."""
    import torch

    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
