"""A check that a user-defined network can be trained: a batch goes forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.parameter import UninitializedParameter

from benchmarks.errors import UnsuitableModel

_IMAGES = 2  # of the batch
_SIZES = (32, 224, 28, 64, 128, 256, 299)  # common image sizes, tried for a hint when an image fails
_SHOWN = 240  # characters of torch's message

Build = Callable[[int, int, int], nn.Module]


def materialised(network: nn.Module, channels: int, image_size: int) -> nn.Module:
    """The network with weights in its lazy layers, if it has any; its mode does not change.

    Raises:
        UnsuitableModel: if an image cannot be passed through it.
    """
    if any(isinstance(value, UninitializedParameter) for value in network.parameters()):
        training = network.training
        with torch.no_grad():
            _forward(network.eval(), _batch(1, channels, image_size))
        network.train(training)
    return network


def check(build: Build, num_classes: int, channels: int, image_size: int) -> None:
    """Pass a batch of random images through a network, forward and backward, as training and trials do.

    Raises:
        UnsuitableModel: one line with the problem, the requirement and the solution.
    """
    with torch.random.fork_rng(devices=[]):
        network, other = (
            materialised(build(num_classes, channels, image_size), channels, image_size) for _ in range(2)
        )
        _check_weights(network, other)
        network.to(memory_format=torch.channels_last)
        x = _batch(_IMAGES, channels, image_size)
        try:
            logits = _forward(network.train(), x)
        except UnsuitableModel as error:
            hint = _hint(build, num_classes, channels, image_size)
            raise UnsuitableModel(f"{error}{hint and f'; {hint}'}") from error.__cause__
        _check_logits(logits, num_classes)
        _check_gradients(network, logits, num_classes)
        with torch.no_grad():
            single = _forward(network.eval(), x[:1])
            several = _forward(network, x)
        if tuple(single.shape) != (1, num_classes):
            raise UnsuitableModel(
                f"the output for a batch of one image has the shape {tuple(single.shape)}, not "
                f"(1, {num_classes}); use flatten(1) in place of squeeze()"
            )
        if bool((several >= 0).all()) and torch.allclose(several.sum(1), torch.ones(_IMAGES), atol=1e-4):
            raise UnsuitableModel(
                "its outputs are probabilities, but they must be logits; remove the softmax at its end"
            )
        try:
            copy.deepcopy(network)
        except Exception as error:  # its parts may raise anything
            raise UnsuitableModel(
                f"it cannot be copied ({_message(error)}), and every trial works on a copy; keep only layers "
                "and settings in it"
            ) from error


def _batch(images: int, channels: int, image_size: int) -> torch.Tensor:
    x = torch.randn(images, channels, image_size, image_size)
    return x.contiguous(memory_format=torch.channels_last)  # as in training


def _forward(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    try:
        return network(x)  # type: ignore[no-any-return]
    except Exception as error:  # the network may raise anything
        raise UnsuitableModel(
            f"it cannot process a batch of shape {tuple(x.shape)} ({_message(error)})"
        ) from error


def _check_weights(network: nn.Module, other: nn.Module) -> None:
    parameters = list(network.parameters())
    if not parameters:
        raise UnsuitableModel(
            "it has no parameters to train; put its layers into nn.ModuleList or nn.ModuleDict, because "
            "torch does not see layers in a Python list or dict"
        )
    if {value.data_ptr() for value in parameters} & {value.data_ptr() for value in other.parameters()}:
        raise UnsuitableModel(
            "the function returns the same network or layers in every call, but the original and the "
            "retrained model must be separate; build the layers inside the function"
        )
    for name, value in network.state_dict().items():
        if not isinstance(value, torch.Tensor):
            raise UnsuitableModel(
                f"its state_dict() contains '{name}', which is not a tensor and cannot be stored; remove it"
            )
        if value.is_floating_point() and value.dtype != torch.float32:
            raise UnsuitableModel(
                f"its '{name}' is {_name(value.dtype)}, but models must be float32; return it with "
                ".float(), and for speed set 'training.precision: bfloat16' in the plan"
            )


def _check_logits(logits: object, num_classes: int) -> None:
    wanted = f"it must return one tensor of logits of shape (images, {num_classes})"
    if not isinstance(logits, torch.Tensor):
        part = next((where for where, value in _parts(logits) if _fits(value, num_classes)), None)
        shown = ", ".join(f"{where} {tuple(value.shape)}" for where, value in _parts(logits))
        advice = (
            f"wrap it in a module that returns it: 'def forward(self, x): return self.network(x){part}'"
            if part
            else "return only the logits"
        )
        kind = type(logits).__name__
        raise UnsuitableModel(
            f"forward() returns a {kind}{shown and f' with {shown}'}, but {wanted}; {advice}"
        )
    shape = tuple(logits.shape)
    if len(shape) == 2 and shape[0] == _IMAGES and shape[1] != num_classes:
        raise UnsuitableModel(
            f"it has {shape[1]} outputs for {num_classes} classes; build its last layer with `num_classes` "
            "outputs, the function's first argument"
        )
    if not _fits(logits, num_classes):
        raise UnsuitableModel(
            f"forward() returns a tensor of shape {shape} and type {_name(logits.dtype)} for {_IMAGES} "
            f"images, but {wanted}, as float32"
        )
    if not logits.isfinite().all():
        raise UnsuitableModel(
            "its outputs for random images are not finite before training; check its initialisation"
        )


def _check_gradients(network: nn.Module, logits: torch.Tensor, num_classes: int) -> None:
    try:
        F.cross_entropy(logits, torch.arange(_IMAGES) % num_classes).backward()
    except Exception as error:  # its layers may raise anything
        raise UnsuitableModel(
            f"no gradient comes back through it ({_message(error)}); remove detach(), no_grad() and frozen "
            "weights"
        ) from error
    if all(value.grad is None for value in network.parameters()):
        raise UnsuitableModel("no gradient reaches its weights; remove detach() and no_grad()")


def _parts(output: object) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors in a network's output, each with the expression that selects it."""
    if isinstance(output, Mapping):
        parts = {f".{key}" if hasattr(output, str(key)) else f"[{key!r}]": output[key] for key in output}
    elif isinstance(output, (tuple, list)):
        parts = {f"[{i}]": value for i, value in enumerate(output)}
    else:
        parts = {f".{key}": value for key, value in getattr(output, "__dict__", {}).items()}
    yield from ((where, value) for where, value in parts.items() if isinstance(value, torch.Tensor))


def _fits(logits: torch.Tensor, num_classes: int) -> bool:
    return tuple(logits.shape) == (_IMAGES, num_classes) and logits.dtype == torch.float32


def _hint(build: Build, num_classes: int, channels: int, image_size: int) -> str:
    """A hint about other images that the network can process; empty if it fails for all that are tried."""
    for other in {1, 3} - {channels}:
        if _passes(build(num_classes, channels, image_size), other, image_size):
            return (
                f"it takes {other} channel{'s' * (other > 1)}, but the images have {channels}: build its "
                "first layer with `channels` inputs, the function's second argument"
            )
    for size in _SIZES:
        if size != image_size and _passes(build(num_classes, channels, image_size), channels, size):
            return (
                f"it takes images of {size} pixels, but these have {image_size}: build it for `image_size`, "
                f"the function's third argument, or write '@{size}' after its name"
            )
    return ""


def _passes(network: nn.Module, channels: int, image_size: int) -> bool:
    try:
        with torch.no_grad():
            _forward(network, _batch(_IMAGES, channels, image_size))
    except UnsuitableModel:
        return False
    return True


def _message(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:_SHOWN]}" if lines else type(error).__name__


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
