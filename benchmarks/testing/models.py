"""The contract of models."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.testing.checks import Check, Problems, description_checks, import_check, require_all

if TYPE_CHECKING:
    from torch import nn

    from benchmarks.models import Model

# Parameters above which shapes are checked without memory for the weights, and learning not at all
_MEDIUM, _LARGE = 1_000_000, 20_000_000


def check_model(model: Model) -> None:
    """Check a model: its description, output shapes, that its seed decides it, and that it can learn.

    Raises:
        AssertionError: with a line for every broken rule.
    """
    require_all(
        f"model '{model.name}'",
        [
            *description_checks(model),
            Check("output", partial(_output_problems, model)),
            Check("seed", partial(_seed_problems, model)),
            Check("gradients", partial(_gradient_problems, model)),
            import_check(model.build),
        ],
    )


def _output_problems(model: Model) -> Problems:
    import torch

    size = model.min_size
    device = torch.device("meta" if _weight_count(model) > _MEDIUM else "cpu")
    larger = (size + 4, 2 * size) if model.takes is None else (model.takes,)
    for classes, channels, side in ((10, 3, size), (2, 1, size), *((100, 3, other) for other in larger)):
        with device, torch.no_grad():
            network = model.build(classes, channels, side).eval()
            shape = tuple(network(torch.zeros(3, channels, side, side)).shape)
        if shape != (3, classes):
            yield (
                f"with {classes} classes and {channels}x{side}x{side} images it must return "
                f"(3, {classes}), not {shape}"
            )


def _seed_problems(model: Model) -> Problems:
    import torch

    if _weight_count(model) > _LARGE:
        return
    networks = [_seeded_network(model, seed) for seed in (0, 0, 1)]
    first, same, other = (torch.cat([p.flatten() for p in n.parameters()]) for n in networks)
    if not torch.equal(first, same):
        yield "torch's seed must decide the initial weights"
    if torch.equal(first, other):
        yield "other seeds must give other weights"


def _gradient_problems(model: Model) -> Problems:
    import torch

    from benchmarks.training.reproducible import seeded

    if _weight_count(model) > _LARGE:
        return
    network = _seeded_network(model, 0)
    with seeded(0):
        network(torch.randn(4, 3, model.min_size, model.min_size)).square().sum().backward()
    for name, p in network.named_parameters():
        if p.grad is None or not bool(torch.isfinite(p.grad).all()):
            yield f"no finite gradient reaches '{name}'"


def _weight_count(model: Model) -> int:
    import torch

    with torch.device("meta"):
        return sum(p.numel() for p in model.build(10, 3, model.min_size).parameters())


def _seeded_network(model: Model, seed: int) -> nn.Module:
    from benchmarks.training.reproducible import seeded

    with seeded(seed):
        return model.build(10, 3, model.min_size)
