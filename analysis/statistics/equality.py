"""Whether a method's models are equal to retrained ones: two one-sided tests within a margin, their power.

The margin is given, or it is a multiple of the retrained models' spread. That spread is an estimate, and
a test that treats it as known calls too many methods equal. The upper limit of |difference| - margin is
therefore computed from the limits of both parts (method of variance estimates recovery; Zou and Donner
2008). This keeps the level even if the two sides differ in spread (Welch's degrees of freedom).
Every function takes arrays, one value for each comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LEVEL = (
    0.05  # probability of wrongly calling a method equal to retraining, and of wrongly calling it different
)
POWER = 0.8  # probability of an answer, from which the number of runs is computed
# The margin in standard deviations of the retrained models: the root mean square difference of two of them
SPREADS = 2**0.5
MOST_RUNS = 1000  # larger numbers are not computed
STEPS = 8  # points at which a distribution is integrated

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Moments(NamedTuple):
    """Mean, variance (ddof 1; nan for one value) and number of the values of some samples."""

    mean: Values
    variance: Values
    size: Values


@dataclass(frozen=True)
class Comparison:
    """The difference of two samples of models, and the spread that determines the margin.

    Attributes:
        difference: The method's mean less the retrained models' mean, in the metric's unit.
        error, freedom: Its standard error with the degrees of freedom.
        spread, spread_freedom: Standard deviation of retrained models with its degrees of freedom.
        runs: Independent runs of the smaller side.
        apart_p: The p of a difference if neither side varies, so that there is no standard error: among all
            ways to assign the runs to the sides, the share of those that separate the two values.
    """

    difference: Values
    error: Values
    freedom: Values
    spread: Values
    spread_freedom: Values
    runs: Values
    apart_p: Values


FIELDS = tuple(field.name for field in fields(Comparison))


def independent(method: Moments, retrained: Moments) -> Comparison:
    """Two independent samples of models, whose standard deviations may differ (Welch)."""
    from scipy.special import binom

    a, b = method, retrained
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = a.variance / a.size, b.variance / b.size
        total = parts[0] + parts[1]
        freedom = total**2 / (parts[0] ** 2 / (a.size - 1) + parts[1] ** 2 / (b.size - 1))
    freedom = np.where(total == 0, a.size + b.size - 2, freedom)
    runs = np.minimum(a.size, b.size)
    spread = np.sqrt(b.variance)
    dealt = 2 / binom(a.size + b.size, a.size)
    return Comparison(a.mean - b.mean, np.sqrt(total), freedom, spread, b.size - 1, runs, dealt)


def paired(differences: Moments, spread: Values, spread_freedom: Values) -> Comparison:
    """Pairs that share a draw or an original model.

    Args:
        differences: The method's value less the retrained model's, for each pair.
        spread, spread_freedom: Standard deviation of retrained models of the same draw and original.
    """
    d = differences
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(d.variance / d.size)
    return Comparison(d.mean, error, d.size - 1, spread, spread_freedom, d.size, 2.0 ** (1 - d.size))


def is_equal(compared: Comparison, margin: float | None = None) -> Flags:
    """Whether a method is equal to retraining, wrongly with a probability of at most `LEVEL`; see `equal_p`.

    Example:
        >>> method = Moments(np.array([1.0, 20.0]), np.array([0.5, 0.5]), np.array([8.0, 8.0]))
        >>> retrained = Moments(np.array([1.2, 1.2]), np.array([0.5, 0.5]), np.array([8.0, 8.0]))
        >>> is_equal(independent(method, retrained), margin=2.0).tolist()  # means 0.2 and 18.8 apart
        [True, False]
    """
    if margin is not None:
        return np.asarray(equal_p(compared, margin) < LEVEL)
    return np.asarray(_limit(compared, LEVEL) < 0)


def equal_p(compared: Comparison, margin: float | None = None) -> Values:
    """The p of "further from retraining than the margin"; small if a method is equal to retraining.

    Args:
        margin: In the metric's unit; by default `SPREADS` standard deviations of the retrained models. Their
            uncertainty then counts, and a p above one half is returned as 1.

    Returns:
        nan if there are too few runs for a spread.
    """
    from scipy.special import stdtr

    c = compared
    if margin is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            t = (margin - np.abs(c.difference)) / c.error
        constant = np.where(np.abs(c.difference) < margin, c.apart_p, 1.0)
        p = np.where(c.error == 0, constant, stdtr(c.freedom, -t))
        return np.where(np.isfinite(c.error), p, np.nan)
    low, high = np.zeros_like(c.difference), np.full_like(c.difference, 0.5)
    for _ in range(40):  # bisection, because the limit falls as the level rises
        middle = (low + high) / 2
        within = _limit(c, middle) < 0
        low, high = np.where(within, low, middle), np.where(within, middle, high)
    p = np.where(_limit(c, np.full_like(high, 0.5)) < 0, high, 1.0)
    return np.where(np.isfinite(c.error) & (c.spread_freedom > 0), p, np.nan)


def different_p(compared: Comparison) -> Values:
    """The two-sided p of no difference at all (Welch, or Student for pairs); nan for too few runs.

    Example:
        >>> method = Moments(np.array([1.0]), np.array([0.5]), np.array([8.0]))
        >>> retrained = Moments(np.array([1.2]), np.array([0.5]), np.array([8.0]))
        >>> different_p(independent(method, retrained)).round(2).tolist()
        [0.58]
    """
    from scipy.special import stdtr

    c = compared
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.abs(c.difference) / c.error
    constant = np.where(c.difference == 0, 1.0, c.apart_p)
    p = np.where(c.error == 0, constant, 2 * stdtr(c.freedom, -t))
    return np.where(np.isfinite(c.error), p, np.nan)


def interval(compared: Comparison, level: float = 1 - LEVEL) -> tuple[Values, Values]:
    """Student's interval of the difference, two-sided."""
    from scipy.special import stdtrit

    half = stdtrit(compared.freedom, (1 + level) / 2) * compared.error
    return compared.difference - half, compared.difference + half


def runs_needed(compared: Comparison, margin: float | None = None) -> Values:
    """The number of runs a side that lead to an answer with probability `POWER`, if the estimates are right.

    The answer is that the method is equal to retraining, or that it differs: the one that needs fewer runs.

    Args:
        margin: As for `equal_p`.

    Returns:
        The total number of runs, existing ones included; nan if no spread is known or `MOST_RUNS` are too
        few.
    """
    needed = np.full(compared.difference.shape, np.nan)
    at = np.isfinite(compared.error) & (compared.error > 0) & (compared.runs > 1)
    at[at] = power(some(compared, at), MOST_RUNS, margin) >= POWER
    known = some(compared, at)
    low, high = known.runs.copy(), np.full(known.runs.shape, float(MOST_RUNS))
    while (high - low > 1).any():
        middle = np.where(high - low > 1, (low + high) // 2, high)
        enough = power(known, middle, margin) >= POWER
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    needed[at] = high
    # If neither side varies: four runs a side can be assigned in 70 ways, six pairs have 64 signs
    constant = (compared.error == 0) & (compared.difference != 0) & (compared.apart_p >= LEVEL)
    independent = compared.freedom > compared.runs - 1
    return np.where(constant, np.where(independent, 4.0, 6.0), needed)


def power(compared: Comparison, runs: Values | float, margin: float | None = None) -> Values:
    """The probability of an answer with `runs` runs a side, if differences and spreads are as estimated.

    Both estimated standard deviations are integrated over their distributions.
    """
    from scipy.special import ndtr, stdtrit

    c = compared
    grow = (np.asarray(runs, dtype=float) - 1) / (c.runs - 1)
    error = c.error * np.sqrt(c.runs / runs)
    freedom = (c.freedom * grow)[..., None]
    errors = _quantiles(error, c.freedom * grow)
    off, error = c.difference[..., None], error[..., None]
    reach = stdtrit(freedom, 1 - LEVEL / 2) * errors
    differs = (ndtr((off - reach) / error) + ndtr((-off - reach) / error)).mean(axis=-1)
    if margin is None:
        spread_freedom = c.spread_freedom * grow
        spreads = _quantiles(c.spread, spread_freedom)[..., None]
        reach = _reach(
            errors[..., None, :], spreads, freedom[..., None], spread_freedom[..., None, None], LEVEL
        )
        within = (SPREADS * spreads - reach).reshape(*error.shape[:-1], STEPS**2)
    else:
        within = margin - stdtrit(freedom, 1 - LEVEL) * errors
    equal = ndtr((within - off) / error) - ndtr((-within - off) / error)
    return np.asarray(np.maximum(np.maximum(equal, 0).mean(axis=-1), differs))


def some(c: Comparison, at: Flags) -> Comparison:
    """The comparisons where `at` is True."""
    return Comparison(*(np.asarray(getattr(c, name))[at] for name in FIELDS))


def _limit(c: Comparison, level: Values | float) -> Values:
    """The upper limit of |difference| - margin, with the margin from the estimated spread."""
    reach = _reach(c.error, c.spread, c.freedom, c.spread_freedom, level)
    return np.asarray(np.abs(c.difference) - SPREADS * c.spread + reach)


def _reach(
    error: Values,
    spread: Values,
    freedom: Values,
    spread_freedom: Values,
    level: Values | float,
) -> Values:
    """How far that limit is above its estimate: the root of the summed squares of both parts' distances."""
    from scipy.special import chdtri, stdtrit

    with np.errstate(invalid="ignore", divide="ignore"):
        lowest = spread * np.sqrt(spread_freedom / chdtri(spread_freedom, level))
        mean = stdtrit(freedom, 1 - np.asarray(level)) * error
    return np.asarray(np.sqrt(mean**2 + (SPREADS * (spread - lowest)) ** 2))


def _quantiles(scale: Values, freedom: Values) -> Values:
    """Equally probable estimates of standard deviations whose true values are `scale`, as a last axis."""
    from scipy.special import chdtri

    middles = (np.arange(STEPS) + 0.5) / STEPS
    by = freedom[..., None]
    return np.asarray(scale[..., None] * np.sqrt(chdtri(by, 1 - middles) / by))
