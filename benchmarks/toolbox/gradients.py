"""Squared gradients of single images, without a backward pass for every image.

The gradient of an image's loss with respect to a layer's weight is a product of the layer's input and of
the gradient at its output. An ordinary backward pass gives both for all images of a batch. With cnn2 on a
CPU core this is 13 to 18 times faster than batches of a single image for images of 8x8 pixels, and 6 to 8
times for 32x32; vmap over torch.func.grad is 2 to 4 times faster for 8x8, and hardly faster for 32x32.
Parameters without such a product (outside the layers known here, or used twice in a pass) go through
torch.func.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.images import ImageSet
from benchmarks.toolbox.precision import at_least_float32

_SLICE_BYTES = 64 * 2**20  # of a layer's single-image gradients that are in memory at the same time
_MOST_IMAGES = 256  # in a pass of small images; more are not faster


def squared_gradients(
    model: nn.Module,
    images: ImageSet,
    losses: Callable[[torch.Tensor, torch.Tensor], Iterable[torch.Tensor]],
    count: Callable[[int, int], None],
) -> dict[str, torch.Tensor]:
    """For every parameter the sum of the squared gradients of single images' losses.

    A weight that is used both by its layer and by another function is not recognised as used twice.

    Args:
        model: In eval mode, so that images do not affect each other.
        losses: From logits (n, classes) and labels (n,), the images' losses (n,), one tensor or several;
            the squares of all are summed. Each costs a backward pass; they share a forward pass.
        count: Called with the numbers of images passed forward and backward inside torch.func; see
            `TrialData.count`.

    Returns:
        Parameter name -> tensor of its shape, for the parameters that need a gradient.
    """
    names = {p: name for name, p in model.named_parameters() if p.requires_grad}
    total = {name: torch.zeros_like(p) for p, name in names.items()}
    owners = Counter(p for module in model.modules() for p in module.parameters(recurse=False))
    for x, y in images.batches(min(_MOST_IMAGES, images.per_pass)):
        with _watched(model) as calls, torch.enable_grad():
            logits = model(x)
            layers = {
                layer: uses[0]
                for layer, uses in calls.items()
                if len(uses) == 1 and all(owners[p] == 1 for p in layer.parameters(recurse=False))
            }
            layers = {layer: use for layer, use in layers.items() if use[1].requires_grad}
            outputs = [output for _, output in layers.values()]
            values = list(losses(at_least_float32(logits), y))
            with torch.autocast(x.device.type, enabled=False):
                prepared = [_prepared(layer, inputs) for layer, (inputs, _) in layers.items()]
            for value in values if outputs else ():
                gradients = torch.autograd.grad(value.sum(), outputs, retain_graph=True, allow_unused=True)
                with torch.autocast(x.device.type, enabled=False):
                    for layer, inputs, gradient in zip(layers, prepared, gradients, strict=True):
                        if gradient is None:
                            continue
                        for p, square in _squares(layer, inputs, gradient.detach()):
                            if p.requires_grad:
                                total[names[p]] += square
        known = {p for layer in layers for p in layer.parameters(recurse=False)}
        rest = [name for p, name in names.items() if p not in known]
        if rest:
            for name, square in _through_func(model, rest, x, y, losses, len(values)).items():
                total[name] += square
            count(len(x) * len(values), len(x) * len(values))
    return total


@contextmanager
def _watched(model: nn.Module) -> Iterator[dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]]]:
    """Inputs and outputs of every layer that `_squares` knows, for each of its calls."""
    calls: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    # An in-place activation would overwrite the output of a layer
    has_inplace = any(getattr(module, "inplace", False) for module in model.modules())

    def keep(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        calls.setdefault(layer, []).append((inputs[0].detach(), output))
        return output.clone() if has_inplace else output

    hooks = [m.register_forward_hook(keep) for m in model.modules() if _known(m)]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _known(layer: nn.Module) -> bool:
    kind = type(layer)  # not a subclass, whose forward pass may differ
    if isinstance(layer, nn.Conv2d):
        plain = layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        return kind is nn.Conv2d and plain
    if isinstance(layer, nn.BatchNorm2d):
        return kind is nn.BatchNorm2d and layer.affine and layer.track_running_stats
    return kind is nn.Linear or (isinstance(layer, nn.LayerNorm) and layer.elementwise_affine)


def _prepared(layer: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """The factor of a layer's gradients that depends only on its inputs, not on the loss."""
    inputs = inputs.to(next(layer.parameters()).dtype)
    if isinstance(layer, nn.Conv2d):
        size, dilation, padding, stride = layer.kernel_size, layer.dilation, layer.padding, layer.stride
        return F.unfold(inputs, size, dilation, padding, stride).transpose(1, 2).contiguous()  # type: ignore[arg-type]
    if isinstance(layer, nn.BatchNorm2d):
        return F.batch_norm(inputs, layer.running_mean, layer.running_var, eps=layer.eps)
    if isinstance(layer, nn.LayerNorm):
        return F.layer_norm(inputs, layer.normalized_shape, eps=layer.eps)
    return inputs.square() if inputs.dim() == 2 else inputs.flatten(1, -2)


def _squares(
    layer: nn.Module, prepared: torch.Tensor, gradient: torch.Tensor
) -> Iterator[tuple[nn.Parameter, torch.Tensor]]:
    """A layer's parameters with the sum over images of their squared single-image gradients."""
    parameters = dict(layer.named_parameters(recurse=False))
    gradient = gradient.to(parameters["weight"].dtype)
    if isinstance(layer, nn.Linear) and prepared.dim() == 2:
        square = gradient.square()
        yield parameters["weight"], square.T @ prepared
        if "bias" in parameters:
            yield parameters["bias"], square.sum(0)
        return
    if isinstance(layer, (nn.Linear, nn.Conv2d)):
        channels = (
            gradient.flatten(1, -2).transpose(1, 2) if isinstance(layer, nn.Linear) else gradient.flatten(2)
        )
        at_once = max(1, _SLICE_BYTES // (layer.weight.numel() * layer.weight.element_size()))
        slices = zip(channels.split(at_once), prepared.split(at_once), strict=True)
        squares = sum(torch.bmm(part, inputs).square_().sum(0) for part, inputs in slices)
        assert isinstance(squares, torch.Tensor)
        yield parameters["weight"], squares.view_as(parameters["weight"])
        summed = channels.sum(2)
    elif isinstance(layer, nn.BatchNorm2d):
        yield parameters["weight"], (gradient * prepared).sum((2, 3)).square_().sum(0)
        summed = gradient.sum((2, 3))
    else:
        shape = parameters["weight"].shape
        each, summed = (t.reshape(len(t), -1, *shape).sum(1) for t in (gradient * prepared, gradient))
        yield parameters["weight"], each.square_().sum(0)
    if "bias" in parameters:
        yield parameters["bias"], summed.square_().sum(0)


def _through_func(
    model: nn.Module,
    names: list[str],
    x: torch.Tensor,
    y: torch.Tensor,
    losses: Callable[[torch.Tensor, torch.Tensor], Iterable[torch.Tensor]],
    count: int,
) -> dict[str, torch.Tensor]:
    """The same for some parameters, through torch.func; `count` is the number of losses of an image."""
    from torch.func import functional_call, grad, vmap

    parameters = {name: p.detach() for name, p in model.named_parameters()}
    inner = _Unhooked(model)

    def value(
        chosen: dict[str, torch.Tensor], image: torch.Tensor, label: torch.Tensor, which: int
    ) -> torch.Tensor:
        state = {f"model.{name}": p for name, p in (parameters | chosen).items()}
        logits = at_least_float32(functional_call(inner, state, (image[None],)))
        return list(losses(logits, label[None]))[which].sum()

    chosen = {name: parameters[name] for name in names}
    size = sum(p.numel() * p.element_size() for p in chosen.values())
    at_once = max(1, _SLICE_BYTES // size)
    total = {name: torch.zeros_like(p) for name, p in chosen.items()}
    for part, labels in zip(x.split(at_once), y.split(at_once), strict=True):
        for which in range(count):
            each = vmap(grad(value), in_dims=(None, 0, 0, None))(chosen, part, labels, which)
            for name, gradient in each.items():
                total[name] += gradient.square().sum(0)
    return total


class _Unhooked(nn.Module):
    """A model without its own hooks, which cannot count inside a transform."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model.forward(x)  # type: ignore[no-any-return]
