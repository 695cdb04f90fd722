"""Shared work of trials in Ray: tensors are sent as plain arrays, through each machine's object store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from benchmarks.errors import CacheError
from benchmarks.trial.kept_work import read
from benchmarks.trial.shared_work import Key, Work, Works, tensors
from cluster.shared_values import Name, SharedValues

_MOST_ON_GPU = 2**31  # bytes


class WorkerWorks(Works):
    """Shared values of all workers of a machine.

    On a CPU they are read in place, without a copy. On a GPU a worker keeps its copies of a method's values,
    up to 2 GiB: on an H100, SSD with a network of 133 million weights took .04 s, and copying its importances
    in every trial another .2 s.
    """

    def __init__(self, values: SharedValues) -> None:
        super().__init__()
        self._values = values

    def get(self, key: Key, compute: Callable[[], Work], device: torch.device) -> tuple[Work, bool]:
        if key in self.known:
            return self.known[key], True
        work, reused = self._of_machine(key, compute, device)
        if device.type != "cpu":
            self._keep(key, work)
        return work, reused

    def drop(self, key: Key) -> None:
        super().drop(key)
        self._values.drop(_name(key))

    def _of_machine(self, key: Key, compute: Callable[[], Work], device: torch.device) -> tuple[Work, bool]:
        kept: list[Work] = []

        def read_or_computed() -> Work:
            with suppress(CacheError):  # `unlearn prepare` reports it
                kept.extend(filter(None, [read(key, device)]))
            return kept[0] if kept else compute()

        work, reused = self._values.get(
            _name(key), read_or_computed, _packed, lambda sent: _unpacked(sent, device)
        )
        return work, reused or bool(kept)

    def _keep(self, key: Key, work: Work) -> None:
        """Keep a value in place of other methods' values, and of older ones if there is no room."""
        values = {k: w for k, w in self.known.items() if k.method == key.method} | {key: work}
        while sum(map(_size, values.values())) > _MOST_ON_GPU:
            del values[next(iter(values))]
        self.known = values


def works(ledger: Any) -> WorkerWorks | None:
    """The shared values of a run, in the process of a worker; None if its methods share nothing."""
    return None if ledger is None else WorkerWorks(SharedValues(ledger))


def _name(key: Key) -> Name:
    return Name(key.digest, key.method, key.scenario, f"'{key.name}' of {key.method}")


def _packed(work: Work) -> tuple[Any, int]:
    """A value as arrays, and its size in bytes."""
    return (_arrays(work.value), work.spent), _size(work)


def _size(work: Work) -> int:
    return sum(tensor.nbytes for tensor in tensors(work.value))


def _unpacked(sent: Any, device: torch.device) -> Work:
    return Work(_tensors(sent[0], device), sent[1])


class _Bytes:
    """A tensor to send, as bytes, because NumPy lacks some of torch's types."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.dtype, self.shape = tensor.dtype, tuple(tensor.shape)
        self.bytes = tensor.cpu().reshape(-1).view(torch.uint8).numpy()

    def tensor(self, device: torch.device) -> torch.Tensor:
        from benchmarks.images import as_tensor

        if not len(self.bytes):
            return torch.empty(self.shape, dtype=self.dtype, device=device)
        return as_tensor(np.asarray(self.bytes)).view(self.dtype).view(self.shape).to(device)


def _arrays(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return _Bytes(value)
    if isinstance(value, dict):
        return {name: _arrays(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_arrays(part) for part in value)
    return value


def _tensors(value: Any, device: torch.device) -> Any:
    if isinstance(value, _Bytes):
        return value.tensor(device)
    if isinstance(value, dict):
        return {name: _tensors(part, device) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_tensors(part, device) for part in value)
    return value
