"""A two-layer network in NumPy with explicit gradients, the reference of methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

CLASSES, SHAPE, HIDDEN = 4, (1, 3, 3), 5


def images(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """float64 images and int64 labels, every class among them."""
    draw = np.random.default_rng(seed)
    x = torch.from_numpy(draw.uniform(-1, 1, (count, *SHAPE)))
    return x, torch.arange(count) % CLASSES


class Network:
    """z = W2 tanh(W1 x + b1) + b2.

    Attributes:
        weights: W1 (hidden, pixels), b1, W2 (classes, hidden), b2.
    """

    def __init__(self, seed: int = 1) -> None:
        draw = np.random.default_rng(seed)
        pixels = int(np.prod(SHAPE))
        shapes = [(HIDDEN, pixels), (HIDDEN,), (CLASSES, HIDDEN), (CLASSES,)]
        self.weights = [draw.normal(0, 0.7, shape) for shape in shapes]

    def in_torch(self) -> nn.Sequential:
        """The same network as a module, in eval mode, as in a trial."""
        pixels = int(np.prod(SHAPE))
        model = nn.Sequential(nn.Flatten(), nn.Linear(pixels, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, CLASSES))
        model.double()
        for p, w in zip(model.parameters(), self.weights, strict=True):
            p.data = torch.from_numpy(w.copy())
        return model.eval()

    def gradients(self, x: torch.Tensor, labels: torch.Tensor) -> list[np.ndarray]:
        """Gradients of the mean cross-entropy over some images."""
        w1, b1, w2, b2 = self.weights
        x, labels = x.flatten(1).numpy(), labels.numpy()
        hidden = np.tanh(x @ w1.T + b1)
        p = np.exp(hidden @ w2.T + b2)
        p /= p.sum(axis=1, keepdims=True)
        delta = (p - np.eye(CLASSES)[labels]) / len(x)
        below = (delta @ w2) * (1 - hidden**2)
        return [below.T @ x, below.sum(axis=0), delta.T @ hidden, delta.sum(axis=0)]

    def same_as(self, model: nn.Module) -> bool:
        """Whether a module has these weights, to a relative error of 1e-6."""
        weights = [p.detach().numpy() for p in model.parameters()]
        return all(
            np.allclose(a, b, rtol=1e-6, atol=1e-12) for a, b in zip(weights, self.weights, strict=True)
        )


class Descent:
    """SGD with momentum v <- m v + (g + d w), w <- w - lr v, and gradients clipped to a norm."""

    def __init__(
        self, network: Network, lr: float, momentum: float, weight_decay: float, clip: float | None = None
    ) -> None:
        self.network, self.lr, self.momentum, self.decay, self.clip = (
            network,
            lr,
            momentum,
            weight_decay,
            clip,
        )
        self.velocity = [np.zeros_like(w) for w in network.weights]

    def step(self, gradients: list[np.ndarray], masks: list[np.ndarray] | None = None) -> None:
        """One step; weights whose mask is 0 do not change."""
        if self.clip is not None:
            norm = np.sqrt(sum((g**2).sum() for g in gradients))
            gradients = [g * min(1, self.clip / (norm + 1e-6)) for g in gradients]
        for i, (w, g) in enumerate(zip(self.network.weights, gradients, strict=True)):
            self.velocity[i] = self.momentum * self.velocity[i] + g + self.decay * w
            change = self.lr * self.velocity[i]
            self.network.weights[i] = w - (change if masks is None else masks[i] * change)


@dataclass
class Batch:
    """A batch whose loss a method computed: its images, labels and mode."""

    positions: list[int]
    labels: torch.Tensor
    training: bool


def watch(monkeypatch: pytest.MonkeyPatch, model: nn.Module, x: torch.Tensor) -> list[Batch]:
    """A list to which every batch with a cross-entropy is added.

    Args:
        x: All images; they must differ.
    """
    seen: list[Batch] = []
    latest: list[torch.Tensor] = []
    cross_entropy = F.cross_entropy
    model.register_forward_pre_hook(lambda _, inputs: latest.append(inputs[0]))

    def loss(logits: torch.Tensor, labels: torch.Tensor, **how: object) -> torch.Tensor:
        equal = (latest[-1].flatten(1)[:, None] == x.flatten(1)[None]).all(dim=2)
        assert (equal.sum(dim=1) == 1).all()
        seen.append(Batch(equal.int().argmax(dim=1).tolist(), labels.clone(), model.training))
        return cross_entropy(logits, labels, **how)

    monkeypatch.setattr(F, "cross_entropy", loss)
    return seen
