"""The effect of JiT in two dimensions: classifiers of the plane, and a function of one variable.

Foster et al.: JiT, figures 2 and 3. A small network learns two classes of points; one of the points is then
forgotten: by training again without it, by descending JiT's loss (equation 1, without clamping, as the plane
has no range of pixels), and by training on it with the wrong label. Once for a point deep in its class, where
the classifier is flat, and once for a point beyond the boundary, which bends it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

POINTS, STEPS, SIDE = 120, 600, 120
REACH = 3.2  # the plane is drawn from -REACH to REACH
SIGMA, COPIES = 0.5, 100
FORGET_STEPS, PLANE_LR, LINE_LR, MISLABEL_LR = 20, 0.02, 0.002, 0.5


@dataclass(frozen=True, eq=False)
class PlaneExample:
    """Classifiers of the plane before and after one point is forgotten.

    Attributes:
        x: The training points, shape (n, 2), labels y, shape (n,), and the position of the forgotten point.
        surfaces: Name of a classifier (original, retrained, jit, mislabelled) -> probability of class 1 on a
            grid, shape (SIDE, SIDE), rows from low to high in the second coordinate.
        curvature: kappa of the original classifier at the forgotten point.
        changed: Name -> percent of the grid on which its class is not the retrained classifier's.
    """

    where: str
    x: np.ndarray
    y: np.ndarray
    forgotten: int
    surfaces: Mapping[str, np.ndarray]
    curvature: float
    changed: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class LineExample:
    """A learned sigmoid before and after points of it are forgotten by JiT.

    Attributes:
        x: Where the curves are known, shape (k,).
        before, after: Probability of class 1 there.
        forgotten: Positions of the forgotten points, shape (m,).
        moved: Change of the probability at each of them.
    """

    where: str
    x: np.ndarray
    before: np.ndarray
    after: np.ndarray
    forgotten: np.ndarray
    moved: np.ndarray


def plane_examples(seed: int = 0) -> tuple[PlaneExample, PlaneExample]:
    """A point deep in its class, and a point beyond the boundary (figure 2)."""
    draw = np.random.default_rng(seed)
    half = POINTS // 2
    y = np.repeat([0, 1], half)
    x = draw.normal(0, 0.55, (POINTS, 2)) + np.where(y[:, None] == 1, 1.1, -1.1)
    inner, outer = np.array([[-1.4, -1.2]]), np.array([[0.9, 0.55]])  # both of class 0
    return (
        _plane_example("low curvature", np.concatenate([x, inner]), np.append(y, 0), seed),
        _plane_example("high curvature", np.concatenate([x, outer]), np.append(y, 0), seed),
    )


def line_examples(seed: int = 0) -> tuple[LineExample, LineExample]:
    """Points on the flat ends of a learned sigmoid, and points on its slope (figure 3)."""
    x = torch.linspace(-4, 4, 200)[:, None]
    y = (torch.sigmoid(4 * x).squeeze(1) > 0.5).long()
    model = _trained(x, y, seed, width=1, decay=1e-2)
    places = (("low curvature", [-3.2, -2.6]), ("high curvature", [-0.35, -0.2]))
    return tuple(_line_example(name, model, at, seed) for name, at in places)  # type: ignore[return-value]


def _plane_example(where: str, x: np.ndarray, y: np.ndarray, seed: int) -> PlaneExample:
    from benchmarks.toolbox.geometry import curvature

    points, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    forgotten = len(points) - 1
    target, label = points[forgotten:], labels[forgotten:]
    original = _trained(points, labels, seed)
    models = {
        "original": original,
        "retrained": _trained(points[:forgotten], labels[:forgotten], seed),
        "jit": smoothed(original, target, PLANE_LR, seed),
        "mislabelled": _mislabelled(original, target, 1 - label),
    }
    surfaces = {name: _surface(model) for name, model in models.items()}
    right = surfaces["retrained"] > 0.5
    kappa = curvature(original, target, label, torch.Generator().manual_seed(seed))
    return PlaneExample(
        where=where,
        x=x,
        y=y,
        forgotten=forgotten,
        surfaces=surfaces,
        curvature=float(kappa),
        changed={name: 100 * float(((s > 0.5) != right).mean()) for name, s in surfaces.items()},
    )


def _line_example(where: str, model: nn.Module, at: list[float], seed: int) -> LineExample:
    x = torch.linspace(-4, 4, 400)[:, None]
    points = torch.tensor(at)[:, None]
    after = smoothed(model, points, LINE_LR, seed)
    moved = _probability(after, points) - _probability(model, points)
    return LineExample(
        where=where,
        x=x.squeeze(1).numpy(),
        before=_probability(model, x),
        after=_probability(after, x),
        forgotten=np.array(at),
        moved=moved,
    )


def smoothed(model: nn.Module, x: torch.Tensor, lr: float, seed: int) -> nn.Module:
    """A copy of a model after JiT's loss was descended on some points, shape (n, width)."""
    model, rng = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(FORGET_STEPS):
        noise = SIGMA * torch.randn((COPIES, *x.shape), generator=rng)
        with torch.no_grad():
            noised = model(x + noise)
        ratios = (model(x) - noised).norm(dim=2) / noise.norm(dim=2)
        optimiser.zero_grad()
        ratios.mean(0).sum().backward()
        optimiser.step()
    return model.eval()


def _mislabelled(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> nn.Module:
    model = copy.deepcopy(model)
    optimiser = torch.optim.SGD(model.parameters(), lr=MISLABEL_LR)
    for _ in range(FORGET_STEPS):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    return model.eval()


def _trained(x: torch.Tensor, y: torch.Tensor, seed: int, width: int = 2, decay: float = 1e-4) -> nn.Module:
    """A network of two hidden layers, trained on all points at once; the seed decides its start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=decay)
    for _ in range(STEPS):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    return model.eval()


def _surface(model: nn.Module) -> np.ndarray:
    ticks = torch.linspace(-REACH, REACH, SIDE)
    rows, columns = torch.meshgrid(ticks, ticks, indexing="ij")
    return _probability(model, torch.stack([columns, rows], dim=2).reshape(-1, 2)).reshape(SIDE, SIDE)


def _probability(model: nn.Module, x: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return model(x).softmax(1)[:, 1].numpy()  # type: ignore[no-any-return]
