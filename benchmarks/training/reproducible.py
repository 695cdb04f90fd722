"""Random numbers and GPU kernels that are the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global random state from a seed, put back afterwards (dropout and initialisation use it)."""
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def repeatable() -> Any:
    """A context in which cuDNN computes the same thing the same way every time."""
    import torch

    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
