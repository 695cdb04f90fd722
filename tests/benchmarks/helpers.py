"""Small things that several tests of this package use."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from benchmarks import Prepared
from benchmarks.access import Access, TrialData
from benchmarks.meter import Meter
from benchmarks.methods import Method
from benchmarks.trial import _trial_data


def data_for(prepared: Prepared, method: Method, seed: int = 0) -> TrialData:
    """The data handle that a trial of this method gets."""
    return _trial_data(prepared, method, Meter(prepared.device), torch.Generator().manual_seed(seed))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(model: nn.Module) -> torch.Tensor:
    """All parameters in one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def own_method(does: Callable, access: Access = Access.RETAIN) -> Method:
    """A method that is not registered and calls `does(model, data, rng)`."""

    class Own(Method):
        """Made by a test."""

        name, summary, source = "own", "made by a test", "nobody"

        def unlearn(self, model, data, params, rng):
            return does(model, data, rng)

    Own.access = access
    return Own()
