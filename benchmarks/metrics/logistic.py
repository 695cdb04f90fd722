"""Logistic regression on a single feature, solved to convergence by Newton's method.

scikit-learn's `LogisticRegression(solver="newton-cholesky")` minimises the same function. Importing it takes
a worker longer than all attacks of a search, so only the tests use it, as a reference.
"""

from __future__ import annotations

import numpy as np

_TOLERANCE = 1e-10  # of the gradient of the mean loss
_MOST_STEPS = 100
_LEAST_STEP = 1e-10  # of a Newton step; below it the loss changes only by rounding


def logistic_fit(x: np.ndarray, y: np.ndarray, weight: np.ndarray, c: float) -> tuple[float, float]:
    """Slope and intercept that minimise `c * sum(weight * loss) + slope**2 / 2`.

    Args:
        x: float64 of shape (n,).
        y: Whether each belongs to the class of positive `slope * x + intercept`, bool of shape (n,).
        weight: The weight of each in the loss, float64 of shape (n,).

    Raises:
        ValueError: unless there are members of both classes.

    Example:
        >>> x = np.array([-2.0, -1.0, 1.0, 2.0])
        >>> slope, intercept = logistic_fit(x, y=x > 0, weight=np.ones(4), c=1.0)
        >>> slope > 0, round(intercept, 6) == 0
        (True, True)
    """
    if y.all() or not y.any():
        raise ValueError("the attack needs both members and non-members to learn from")
    share = weight / weight.sum()
    penalty = 1 / (c * weight.sum())
    sign = np.where(y, -1.0, 1.0)

    def loss(at: np.ndarray) -> float:
        margins = sign * (at[0] * x + at[1])
        return float(share @ np.logaddexp(0, margins) + penalty * at[0] ** 2 / 2)

    point = np.zeros(2)
    now = loss(point)
    for _ in range(_MOST_STEPS):
        p = _sigmoid(point[0] * x + point[1])
        off, curve = share * (p - y), share * p * (1 - p)
        gradient = np.array([off @ x + penalty * point[0], off.sum()])
        if np.abs(gradient).max() <= _TOLERANCE:
            break
        mixed = curve @ x
        hessian = np.array([[curve @ (x * x) + penalty, mixed], [mixed, curve.sum()]])
        direction = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        length = 1.0
        while (then := loss(point - length * direction)) > now and length > _LEAST_STEP:
            length /= 2
        if then > now:
            break
        point, now = point - length * direction, then
    return float(point[0]), float(point[1])


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(z / 2))
