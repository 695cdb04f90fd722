"""Passes through a model: eval mode, inplace activations, 3x3 convolutions by Winograd's algorithm.

The last two are for passes without gradients. Within a context they change how layers compute, never the
result: a layer is unchanged if it is not exactly a class of torch, or if anything (a hook, another `forward`)
could observe the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module as hooked

Forward = Callable[[torch.Tensor], torch.Tensor]

_NEW_MEMORY = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)  # layers that return a new tensor
_FEWEST_CHANNELS = 128  # with 64, the tiles cost as much as the smaller product saves
# Winograd's F(2x2, 3x3), Lavin and Gray, 2016: tiles of 4x4 pixels give 2x2 by 16 products, not 36
_TILE = torch.tensor([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], dtype=torch.float32)
_KERNEL = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_RESULT = torch.tensor([[1, 1, 1, 0], [0, 1, -1, -1]], dtype=torch.float32)


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """A context in which the model is in eval mode; the modes of its modules are restored afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def overwriting(model: nn.Module) -> Iterator[None]:
    """A context in which a ReLU that follows a layer in an nn.Sequential overwrites that layer's output.

    Logits stay the same bit for bit. For passes without gradients.
    """
    sequences = [layer for layer in _untouched(model, nn.Sequential) if any(_overwritten(layer))]
    with _replaced({sequence: _inplace(sequence) for sequence in sequences}):
        yield


@contextmanager
def fast_convolutions(model: nn.Module) -> Iterator[None]:
    """A context in which wide float32 3x3 convolutions on a CPU take 16 products per 2x2 pixels, not 36.

    Weights must not change within it. Outputs differ by rounding; compared with float64 they are as exact
    as those of torch.
    """
    layers = [layer for layer in _untouched(model, nn.Conv2d) if _suited(layer)]
    with _replaced({layer: _winograd(layer) for layer in layers}):
        yield


@contextmanager
def _replaced(forwards: dict[nn.Module, Forward]) -> Iterator[None]:
    for layer, forward in forwards.items():
        layer.forward = forward
    try:
        yield
    finally:
        for layer in forwards:
            del layer.forward


def _untouched(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    """The layers of exactly that type with an unchanged `forward`; none in a compiled model."""
    layers = list(model.modules())
    if any("_orig_mod" in layer._modules or layer._compiled_call_impl for layer in layers):
        return []  # a changed forward would compile it again
    return [layer for layer in layers if _exactly(layer, kind)]


def _exactly(layer: nn.Module, *kinds: type[nn.Module]) -> bool:
    return type(layer) in kinds and "forward" not in vars(layer)


def _overwritten(sequence: nn.Module) -> list[bool]:
    """For every layer of an nn.Sequential, whether it is a ReLU whose input is used only there."""
    if hooked._global_forward_hooks or hooked._global_forward_pre_hooks:
        return []
    assert isinstance(sequence, nn.Sequential)
    layers = list(sequence)
    return [False] + [
        _exactly(before, *_NEW_MEMORY)
        and _exactly(layer, nn.ReLU)
        and not any(m._forward_hooks or m._forward_pre_hooks for m in (before, layer))
        for before, layer in pairwise(layers)
    ]


def _inplace(sequence: nn.Module) -> Forward:
    assert isinstance(sequence, nn.Sequential)
    steps: list[Forward] = [
        torch.relu_ if over else layer for layer, over in zip(sequence, _overwritten(sequence), strict=True)
    ]

    def forward(x: torch.Tensor) -> torch.Tensor:
        for step in steps:
            x = step(x)
        return x

    return forward


def _suited(layer: nn.Module) -> bool:
    assert isinstance(layer, nn.Conv2d)
    shape = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
    return (
        shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
        and layer.padding_mode == "zeros"
        and layer.in_channels >= _FEWEST_CHANNELS
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
    )


def _winograd(layer: nn.Module) -> Forward:
    assert isinstance(layer, nn.Conv2d)
    plain = layer.forward
    kernels: torch.Tensor | None = None

    def forward(x: torch.Tensor) -> torch.Tensor:
        nonlocal kernels
        if x.dim() != 4 or x.shape[2] % 2 or x.shape[3] % 2 or x.dtype != torch.float32:
            return plain(x)
        if torch.is_autocast_enabled("cpu"):
            return plain(x)
        if kernels is None:
            flat = layer.weight.detach().permute(2, 3, 0, 1).reshape(9, -1)
            kernels = torch.kron(_KERNEL, _KERNEL) @ flat
            kernels = kernels.view(16, layer.out_channels, layer.in_channels).transpose(1, 2)
        return _convolved(x, kernels, layer.bias)

    return forward


def _convolved(x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """A 3x3 convolution of x (n, channels, height, width), by kernels of shape (16, channels, outputs)."""
    n, channels, height, width = x.shape
    rows, columns, outputs = height // 2, width // 2, kernels.shape[2]
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    tiles = padded.unfold(1, 4, 2).unfold(2, 4, 2).permute(4, 5, 0, 1, 2, 3).reshape(16, -1)
    transformed = (torch.kron(_TILE, _TILE) @ tiles).view(16, n * rows * columns, channels)
    products = torch.bmm(transformed, kernels).view(16, -1)
    pixels = (torch.kron(_RESULT, _RESULT) @ products).view(2, 2, n, rows, columns, outputs)
    result = pixels.permute(2, 3, 0, 4, 1, 5).reshape(n, height, width, outputs)
    if bias is not None:
        result += bias
    return result.permute(0, 3, 1, 2)
