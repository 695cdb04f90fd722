"""The geometry of a classifier around images: its curvature, and its agreement with itself nearby.

Curvature (Foster et al.: JiT, section 4, as its authors' slides define it): kappa(x) = ||H|| / ||g||, the
Frobenius norm of the Hessian over the norm of the gradient, both with respect to the image, of the
probability p of the image's class. The logits cannot be used: a network of ReLUs is piecewise linear, so
their Hessian is 0 almost everywhere. Where p rounds to 1, its derivatives round to 0; both are therefore
computed from those of the log-odds s, with g = p(1-p) s' and H = p(1-p) (s'' + (1 - 2p) s' s'^T), in whose
ratio p(1-p) cancels. ||H||^2 is the mean of ||Hv||^2 over normal v (Hutchinson), so that no Hessian is
built.

Agreement (definitions 4.1 and 4.2): alpha(x), the share of a ball around the image in which the model still
predicts its class. Points are drawn uniformly from the ball with the radius of JiT's noise at sigma = .5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.images import ImageSet
from benchmarks.inference import eval_mode

PROBES = 16  # of the Hessian; the norm is then within about a tenth
POINTS = 32  # of the ball
SIGMA = 0.5  # of a normalised pixel: the ball has the radius SIGMA * sqrt(pixels)
_SEED = 0


@dataclass(frozen=True, eq=False)
class Surface:
    """The model's surface around images.

    Attributes:
        curvature: kappa of each, per unit of normalised pixels, float64 of shape (n,); NaN if the model is
            flat up to rounding.
        agreement: alpha of each, from 0 to 1, float64 of shape (n,).
    """

    curvature: np.ndarray
    agreement: np.ndarray


def surface(model: nn.Module, images: ImageSet) -> Surface:
    """Curvature and agreement of a model around each image of a set, in eval mode."""
    device = images.index.device
    rng = torch.Generator(device).manual_seed(_SEED)
    with eval_mode(model):
        parts = [
            (curvature(model, x, y, rng), agreement(model, x, y, rng))
            for x, y in images.batches(max(1, images.per_pass // POINTS))
        ]
    if not parts:
        return Surface(np.empty(0), np.empty(0))
    both = [torch.cat(values).double().cpu().numpy() for values in zip(*parts, strict=True)]
    return Surface(*both)


def curvature(model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """kappa of each image.

    Args:
        x: Normalised images, shape (B, C, H, W).
        y: int64 labels, shape (B,).

    Returns:
        Shape (B,).
    """
    x = x.detach().requires_grad_()
    # Fused attention has no second derivative
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        odds = log_odds(model(x).float(), y)
        (slope,) = torch.autograd.grad(odds.sum(), x, create_graph=True)
        bend = 1 - 2 * torch.sigmoid(odds.detach())
        flat = slope.detach().flatten(1)
        squares = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for _ in range(PROBES):
            probe = torch.randn(x.shape, generator=rng, device=rng.device).to(x)
            along = (flat * probe.flatten(1)).sum(1)
            second = _second(slope, probe, x).flatten(1)
            squares += (second + (bend * along)[:, None] * flat).double().square().sum(1)
    kappa: torch.Tensor = (squares / PROBES).sqrt() / flat.double().norm(dim=1)
    return kappa


def agreement(model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """alpha of each image; arguments as for `curvature`. Returns shape (B,)."""
    size = x[0].numel()
    noise = torch.randn((POINTS, *x.shape), generator=rng, device=rng.device).to(x)
    flat = noise.flatten(2)
    radius = SIGMA * math.sqrt(size)
    reach = radius * torch.rand((POINTS, len(x), 1), generator=rng, device=rng.device).to(x) ** (1 / size)
    nearby = x + (flat / flat.norm(dim=2, keepdim=True) * reach).view_as(noise)
    with torch.inference_mode():
        predicted = model(nearby.flatten(0, 1)).argmax(1).view(POINTS, len(x))
    alpha: torch.Tensor = (predicted == y).double().mean(0)
    return alpha


def log_odds(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """log p - log(1 - p) of the class of each image, exact even if p rounds to 1; shape (B,)."""
    label_logits = logits.gather(1, y[:, None])
    others = logits.scatter(1, y[:, None], -math.inf)
    return label_logits.squeeze(1) - torch.logsumexp(others, dim=1)


def _second(slope: torch.Tensor, probe: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The Hessian of the log-odds times a probe; 0 if the slope is constant, as for a linear model."""
    if not slope.requires_grad:
        return torch.zeros_like(x)
    (product,) = torch.autograd.grad((slope * probe).sum(), x, retain_graph=True, allow_unused=True)
    return torch.zeros_like(x) if product is None else product
