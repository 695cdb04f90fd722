"""The network of `numpy_network` under targets that are distributions over the classes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tests.benchmarks.methods.numpy_network import Network


def softmax(z: np.ndarray) -> np.ndarray:
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


class SoftNetwork(Network):
    """`Network` with any loss whose gradient with respect to the logits is known."""

    def logits(self, x: torch.Tensor) -> np.ndarray:
        w1, b1, w2, b2 = self.weights
        return np.tanh(x.flatten(1).numpy() @ w1.T + b1) @ w2.T + b2

    def pulled_back(self, x: torch.Tensor, delta: np.ndarray) -> list[np.ndarray]:
        """Gradients of the weights from those of the logits, shape (n, classes)."""
        w1, b1, w2, _ = self.weights
        x = x.flatten(1).numpy()
        hidden = np.tanh(x @ w1.T + b1)
        below = (delta @ w2) * (1 - hidden**2)
        return [below.T @ x, below.sum(axis=0), delta.T @ hidden, delta.sum(axis=0)]

    def divergence_gradients(
        self, x: torch.Tensor, teacher: np.ndarray, temperature: float
    ) -> list[np.ndarray]:
        """Gradients of KL(teacher || this network) at a temperature, averaged over images."""
        delta = softmax(self.logits(x) / temperature) - softmax(teacher / temperature)
        return self.pulled_back(x, delta / temperature / len(x))


class Adam:
    """Adam with bias correction; weight decay is in the gradient, or with `decoupled` in the weights."""

    def __init__(
        self, network: Network, lr: float, weight_decay: float = 0.0, decoupled: bool = False
    ) -> None:
        self.network, self.lr, self.decay, self.decoupled = network, lr, weight_decay, decoupled
        self.first = [np.zeros_like(w) for w in network.weights]
        self.second = [np.zeros_like(w) for w in network.weights]
        self.steps = 0

    def step(self, gradients: list[np.ndarray]) -> None:
        self.steps += 1
        for i, (w, g) in enumerate(zip(self.network.weights, gradients, strict=True)):
            if self.decoupled:
                w = w * (1 - self.lr * self.decay)
            else:
                g = g + self.decay * w
            self.first[i] = 0.9 * self.first[i] + 0.1 * g
            self.second[i] = 0.999 * self.second[i] + 0.001 * g**2
            mean = self.first[i] / (1 - 0.9**self.steps)
            scale = np.sqrt(self.second[i] / (1 - 0.999**self.steps)) + 1e-8
            self.network.weights[i] = w - self.lr * mean / scale


def batches_of(model: nn.Module, x: torch.Tensor, training: bool = True) -> list[list[int]]:
    """A list to which every batch of a model in a given mode adds its positions in x."""
    seen: list[list[int]] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if module.training == training:
            equal = (inputs[0].flatten(1)[:, None] == x.flatten(1)[None]).all(dim=2)
            assert (equal.sum(dim=1) == 1).all()
            seen.append(equal.int().argmax(dim=1).tolist())

    model.register_forward_pre_hook(note)
    return seen
