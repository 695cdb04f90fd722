"""PED-ANOVA of many weighted samples at once, with the same values as Optuna's evaluator.

The method compares two densities of a parameter, of the best trials and of all, on a grid of fifty cells
(Watanabe et al., 2023). Only a trial's cell matters, so a bootstrap sample is a row of counts, and all
densities of all rows come from one convolution: the kernels of a row have the same width.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

CELLS = 50
_NARROWEST = 0.5 / 1.64  # of a kernel, in cells
_PERIOD = 2 * CELLS  # of the convolution: what wraps around falls outside the grid
_POSITIONS = np.arange(CELLS, dtype=float)

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def cells(values: Array, low: float, high: float, *, log: bool) -> Integers:
    """The cell of each value of a parameter, whose range is divided evenly (in logarithms with `log`)."""
    if log:
        values, low, high = np.log(values), math.log(low), math.log(high)
    positions = np.ceil((values - low) / ((high - low) / (CELLS - 1)) - 0.5).astype(np.int64)
    return np.clip(positions, 0, CELLS - 1)


def counted(positions: Integers, metric: Array, quantile: float, picks: Integers) -> tuple[Array, Array]:
    """The number of trials of each sample in each cell: of the best, and of all.

    Args:
        positions: The cell of every trial in every parameter: parameters x trials.
        metric: The metric of every trial; lower is better.
        quantile: The share of a sample's trials that are its best, plus all trials equal to the last of them.
        picks: The trials of each sample: samples x trials.

    Returns:
        Two arrays of samples x parameters x cells.
    """
    drawn = metric[picks]
    last = math.ceil(quantile * drawn.shape[1]) - 1
    best = drawn <= np.partition(drawn, last, axis=1)[:, last : last + 1]
    shape = len(picks), len(positions), CELLS
    row = CELLS * np.arange(len(picks) * len(positions)).reshape(len(picks), len(positions)).T
    flat = positions[:, picks]
    flat += row[:, :, None]
    sample, trial = np.nonzero(best)
    size = math.prod(shape)
    top, every = (
        np.bincount(part.ravel(), minlength=size).reshape(shape) for part in (flat[:, sample, trial], flat)
    )
    return top.astype(float), every.astype(float)


def divergences(top: Array, every: Array) -> Array:
    """The divergence of the density of the best from that of all, for each row of counts."""
    best, local = _densities(top) + 1e-12, _densities(every) + 1e-12
    distances: Array = (local * (best / local - 1.0) ** 2).sum(axis=1)
    return distances


@lru_cache(maxsize=64)
def samples(trials: int, resamples: int, seed: int) -> Integers:
    """All trials in their order, and bootstrap samples of them: samples x trials."""
    drawn = np.random.default_rng(seed).integers(0, trials, size=(resamples, trials))
    return np.vstack([np.arange(trials), drawn])


def _densities(counts: Array) -> Array:
    """Mixtures of discrete normal kernels on the counted cells, by Scott's rule, and a wide prior."""
    from scipy.fft import irfft, rfft

    total = counts.sum(axis=1, keepdims=True)
    kernel, normaliser = _kernels(_widths(counts, total))
    weights = np.zeros_like(kernel)
    np.divide(counts, normaliser, out=weights[:, :CELLS])
    spectra = rfft(kernel, axis=1)
    spectra *= rfft(weights, axis=1)  # an expression of large arrays may swap its factors, and a last digit
    sums = irfft(spectra, _PERIOD, axis=1)[:, CELLS - 1 : 2 * CELLS - 1]
    densities: Array = (sums + _prior()) / (total + 1.0)
    return densities


def _widths(counts: Array, total: Array) -> Array:
    """The kernels' width of each row, in cells."""
    mean = (counts @ _POSITIONS)[:, None] / total
    spread = np.sqrt(
        (counts * (_POSITIONS - mean) ** 2).sum(axis=1, keepdims=True) / np.maximum(1, total - 1)
    )
    reached = counts.cumsum(axis=1)
    first = (reached < np.maximum(1, total // 4)).sum(axis=1, keepdims=True)
    third = (reached <= total * 3 // 4).sum(axis=1, keepdims=True)
    widths: Array = 1.059 * np.minimum((third - first) / 1.34, spread) * total**-0.2
    return np.maximum(widths, _NARROWEST)


def _kernels(widths: Array) -> tuple[Array, Array]:
    """For each width, a kernel's mass in the cells -49 to 49 and a zero, and its mass inside the grid by its
    cell."""
    from scipy.special import ndtr

    below = ndtr((_POSITIONS + 0.5) / widths)  # up to the far edge of the cell, 0 to 49 cells away
    kernels = np.zeros((len(widths), _PERIOD))
    away = np.subtract(below[:, 1:], below[:, :-1], out=kernels[:, CELLS : _PERIOD - 1])
    kernels[:, : CELLS - 1] = away[:, ::-1]
    kernels[:, CELLS - 1] = 2.0 * below[:, 0] - 1.0
    return kernels, below[:, ::-1] + below - 1.0


@lru_cache(maxsize=1)
def _prior() -> Array:
    from scipy.special import ndtr

    edges = ndtr((np.arange(CELLS + 1) - 0.5 - (CELLS - 1) / 2) / CELLS)
    mass = np.diff(edges)
    shares: Array = mass / mass.sum()
    return shares
