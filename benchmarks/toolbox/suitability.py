"""Whether a network of the user's own can be trained here: one batch goes forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.parameter import UninitializedParameter

from benchmarks.errors import UnsuitableModel

_IMAGES = 2  # of the batch
_SIZES = (32, 224, 28, 64, 128, 256, 299)  # that networks are built for, to say which one this is
_SHOWN = 240  # characters of what torch says

Build = Callable[[int, int, int], nn.Module]


def materialised(network: nn.Module, channels: int, image_size: int) -> nn.Module:
    """A network whose lazy layers, if it has any, have weights now; it is left in its mode.

    Raises:
        UnsuitableModel: if an image does not go through.
    """
    if any(isinstance(value, UninitializedParameter) for value in network.parameters()):
        training = network.training
        with torch.no_grad():
            _forward(network.eval(), _batch(1, channels, image_size))
        network.train(training)
    return network


def check(build: Build, num_classes: int, channels: int, image_size: int) -> None:
    """Pass a batch of random images through a network, forward and backward, as training and trials will.

    Raises:
        UnsuitableModel: one line with what is wrong, what is wanted, and how to get there.
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
                f"a batch of one image comes out with the shape {tuple(single.shape)}, where "
                f"(1, {num_classes}) is wanted; use flatten(1) in place of squeeze()"
            )
        if bool((several >= 0).all()) and torch.allclose(several.sum(1), torch.ones(_IMAGES), atol=1e-4):
            raise UnsuitableModel(
                "its outputs are probabilities, and logits are wanted; leave out the softmax at its end"
            )
        try:
            copy.deepcopy(network)
        except Exception as error:  # whatever its parts raise
            raise UnsuitableModel(
                f"it cannot be copied ({_said(error)}), and every trial works on a copy; keep nothing in it "
                "but layers and settings"
            ) from error


def _batch(images: int, channels: int, image_size: int) -> torch.Tensor:
    x = torch.randn(images, channels, image_size, image_size)
    return x.contiguous(memory_format=torch.channels_last)  # as all images here


def _forward(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    try:
        return network(x)  # type: ignore[no-any-return]
    except Exception as error:  # whatever the network raises
        raise UnsuitableModel(
            f"a batch of shape {tuple(x.shape)} does not go through it ({_said(error)})"
        ) from error


def _check_weights(network: nn.Module, other: nn.Module) -> None:
    parameters = list(network.parameters())
    if not parameters:
        raise UnsuitableModel(
            "it has no parameters to train; layers in a list or dict of Python are not seen, those in "
            "nn.ModuleList or nn.ModuleDict are"
        )
    if {value.data_ptr() for value in parameters} & {value.data_ptr() for value in other.parameters()}:
        raise UnsuitableModel(
            "the function returns the same network, or the same layers, every time, and the original and the "
            "retrained model are two; build them inside the function"
        )
    for name, value in network.state_dict().items():
        if not isinstance(value, torch.Tensor):
            raise UnsuitableModel(f"its state_dict() holds '{name}', which is not a tensor and is not stored")
        if value.is_floating_point() and value.dtype != torch.float32:
            raise UnsuitableModel(
                f"its '{name}' is {_name(value.dtype)}, and models are float32 here; return it with "
                ".float(), and for speed set 'training.precision: bfloat16' in the plan"
            )


def _check_logits(logits: object, num_classes: int) -> None:
    wanted = f"one tensor of logits of shape (images, {num_classes}) is wanted"
    if not isinstance(logits, torch.Tensor):
        part = next((where for where, value in _parts(logits) if _fits(value, num_classes)), None)
        shown = ", ".join(f"{where} {tuple(value.shape)}" for where, value in _parts(logits))
        advice = (
            f"return it from a module around it: 'def forward(self, x): return self.network(x){part}'"
            if part
            else "return the logits alone"
        )
        kind = type(logits).__name__
        raise UnsuitableModel(
            f"forward() returns a {kind}{shown and f' with {shown}'}, and {wanted}; {advice}"
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
            f"images, and {wanted}, as float32"
        )
    if not logits.isfinite().all():
        raise UnsuitableModel("its outputs for random images are not finite before any training")


def _check_gradients(network: nn.Module, logits: torch.Tensor, num_classes: int) -> None:
    try:
        F.cross_entropy(logits, torch.arange(_IMAGES) % num_classes).backward()
    except Exception as error:  # whatever the network's layers raise
        raise UnsuitableModel(
            f"no gradient comes back through it ({_said(error)}); leave out detach(), no_grad() and frozen "
            "weights"
        ) from error
    if all(value.grad is None for value in network.parameters()):
        raise UnsuitableModel("no gradient reaches its weights; leave out detach() and no_grad()")


def _parts(output: object) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors in what a network returned, by the way to them."""
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
    """Which other images go through the network; empty if none of those that are tried do."""
    for other in {1, 3} - {channels}:
        if _passes(build(num_classes, channels, image_size), other, image_size):
            return (
                f"it takes {other} channel{'s' * (other > 1)}, and the images have {channels}: build its "
                "first layer with `channels` inputs, the function's second argument"
            )
    for size in _SIZES:
        if size != image_size and _passes(build(num_classes, channels, image_size), channels, size):
            return (
                f"it takes images of {size} pixels, and these have {image_size}: build it for `image_size`, "
                f"the function's third argument, or write '@{size}' behind its name"
            )
    return ""


def _passes(network: nn.Module, channels: int, image_size: int) -> bool:
    try:
        with torch.no_grad():
            _forward(network, _batch(_IMAGES, channels, image_size))
    except UnsuitableModel:
        return False
    return True


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:_SHOWN]}" if lines else type(error).__name__


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
