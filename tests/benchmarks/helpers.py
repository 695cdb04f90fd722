"""Small things that several tests of this package use."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from benchmarks import Prepared
from benchmarks.access import Access, TrialData
from benchmarks.images import ImageSet
from benchmarks.methods import Method
from benchmarks.training.recipes import Recipe
from benchmarks.trial.meter import Meter
from benchmarks.trial.run import _trial_data


def data_for(prepared: Prepared, method: Method, seed: int = 0) -> TrialData:
    """The data handle that a trial of this method gets."""
    meter, draw = Meter(prepared.device), torch.Generator().manual_seed(seed)
    return _trial_data(prepared, prepared.scenario, method, method.access, meter, draw)


class FloatImages(ImageSet):
    """Images whose pixels are float64 and reach a network as they are."""

    def ready(self, pixels):
        return pixels


def tiny_data(
    method: Method,
    x: torch.Tensor,
    y: torch.Tensor,
    forget: list[int],
    *,
    num_classes: int,
    task: str = "full_class",
    forget_classes: tuple[int, ...] | None = None,
    validation: list[int] = (),
    new_model: Callable[[], nn.Module] | None = None,
    updates: dict[str, torch.Tensor] | None = None,
) -> TrialData:
    """A data handle over a few float64 images (n, channels, height, width) and their int64 labels.

    Args:
        forget, validation: Positions in x; all others are retained.
        forget_classes: By default the labels of the forget images, and none in the task `random`.
    """
    unit, zero = x.new_ones(1), x.new_zeros(1)
    everything = FloatImages(x, y, torch.arange(len(x)), unit, zero, x.shape[-1])
    rest = [i for i in range(len(x)) if i not in {*forget, *validation}]
    if forget_classes is None:
        forget_classes = () if task == "random" else tuple(sorted(set(y[forget].tolist())))
    return TrialData(
        method=method.name,
        access=method.access,
        task=task,
        num_classes=num_classes,
        image_shape=tuple(x.shape[1:]),
        recipe=Recipe(epochs=1),
        new_model=new_model,
        _forget_classes=forget_classes,
        _forget=everything.subset(torch.tensor(forget, dtype=torch.int64)),
        _retain=everything.subset(torch.tensor(rest)),
        _validation=everything.subset(torch.tensor(list(validation), dtype=torch.int64)),
        _updates=updates,
    )


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(model: nn.Module) -> torch.Tensor:
    """All parameters in one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def function_method(does: Callable, access: Access = Access.RETAIN) -> Method:
    """A method that is not registered and calls `does(model, data, rng)`."""

    class FunctionMethod(Method):
        """Made by a test."""

        name, summary, source = "function", "made by a test", "nobody"

        def unlearn(self, model, data, params, rng):
            return does(model, data, rng)

    FunctionMethod.access = access
    return FunctionMethod()
