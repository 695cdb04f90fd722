"""Noise images and training on them, worked out in NumPy for a network of two layers, one class at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

CLASSES, SHAPE, HIDDEN = 5, (2, 3, 3), 6


def network(seed=0):
    """A network in float64, which `weights_of` turns into what the functions below take."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        size = int(np.prod(SHAPE))
        return nn.Sequential(
            nn.Flatten(), nn.Linear(size, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, CLASSES)
        ).double()


def weights_of(model):
    return [p.detach().numpy().copy() for p in model.parameters()]


def pass_through(weights, x, y):
    """Cross-entropy of every image, and the gradients of the sum for the images and for all weights."""
    w1, b1, w2, b2 = weights
    h = np.tanh(x @ w1.T + b1)
    z = h @ w2.T + b2
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y])
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    e = (d @ w2) * (1 - h**2)
    return loss, e @ w1, [e.T @ x, e.sum(axis=0), d.T @ h, d.sum(axis=0)]


class Adam:
    def __init__(self, lr):
        self.lr, self.t, self.m, self.v = lr, 0, 0.0, 0.0

    def change(self, gradient):
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v = 0.999 * self.v + 0.001 * gradient**2
        m, v = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
        return -self.lr * m / (np.sqrt(v) + 1e-8)


def noise_of_class(weights, start, label, *, maximise, norm, penalty, steps, lr, halve_lr, leak=None):
    """The noise of one class after so many steps, and the learning rate of every step.

    Args:
        start: Shape (images, pixels).
        maximise: Whether to minimise -CE + penalty * norm, or only CE.
        leak: A list of arrays, to which every step adds the weights' gradients of what it minimises.
    """
    z, y = start.copy(), np.full(len(start), label)
    adam, best, waited, rates = Adam(lr), np.inf, 0, []
    for _ in range(steps):
        loss, gradient, of_weights = pass_through(weights, z, y)
        if leak is not None:
            for total, g in zip(leak, of_weights, strict=True):
                total += (-g if maximise else g) / len(z)
        if maximise:
            length = np.sqrt((z**2).sum(axis=1))
            if norm == "l2":
                loss, gradient = penalty * length - loss, penalty * z / length[:, None] - gradient
            else:
                loss, gradient = penalty * length**2 - loss, 2 * penalty * z - gradient
        rates.append(adam.lr)
        z = z + adam.change(gradient / len(z))
        if loss.mean() < best:
            best, waited = loss.mean(), 0
        else:
            waited += 1
        if halve_lr and waited > 10:
            adam.lr, waited = adam.lr / 2, 0
    return z, rates


def trained(weights, batches, lr, leak=None):
    """The weights after one step of Adam on the mean cross-entropy of every batch (x, y).

    Args:
        leak: Gradients that are part of the first step.
    """
    weights, adams = [w.copy() for w in weights], [Adam(lr) for _ in weights]
    for x, y in batches:
        gradients = [g / len(y) for g in pass_through(weights, x, y)[2]]
        if leak is not None:
            gradients, leak = [g + more for g, more in zip(gradients, leak, strict=True)], None
        weights = [w + a.change(g) for w, a, g in zip(weights, adams, gradients, strict=True)]
    return weights


def nothing(weights):
    """Gradients of zero, to which a leak adds."""
    return [np.zeros_like(w) for w in weights]


def normal(count, images, generator):
    """The start of the noise of so many classes, as a generator draws it, shape (count, images, pixels)."""
    drawn = torch.randn((count, images, *SHAPE), generator=generator)
    return drawn.flatten(2).double().numpy()


def shuffled(count, size, generator):
    """One epoch's batches of positions."""
    return [part.numpy() for part in torch.randperm(count, generator=generator).split(size)]
