"""Adam and AdamW in NumPy, as in their papers."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.methods.numpy_network import Network


class Adam:
    """w <- w - lr d w - lr m' / (sqrt(v') + 1e-8), with the bias-corrected means m' of g and v' of g^2."""

    def __init__(self, network: Network, decay: float = 0.0) -> None:
        self.network, self.decay, self.steps = network, decay, 0
        self.mean = [np.zeros_like(w) for w in network.weights]
        self.square = [np.zeros_like(w) for w in network.weights]

    def step(self, gradients: list[np.ndarray], lr: float) -> None:
        self.steps += 1
        for i, (w, g) in enumerate(zip(self.network.weights, gradients, strict=True)):
            self.mean[i] = 0.9 * self.mean[i] + 0.1 * g
            self.square[i] = 0.999 * self.square[i] + 0.001 * g**2
            mean = self.mean[i] / (1 - 0.9**self.steps)
            square = self.square[i] / (1 - 0.999**self.steps)
            self.network.weights[i] = w - lr * self.decay * w - lr * mean / (np.sqrt(square) + 1e-8)
