"""The attack's regression against scikit-learn's, on entropies of every kind of model."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.logistic import logistic_fit

RNG = np.random.default_rng(0)
ENTROPIES = {
    "apart": (RNG.gamma(1, 0.1, 800), RNG.gamma(2, 0.4, 300)),
    "alike": (RNG.uniform(0, 2.3, 500), RNG.uniform(0, 2.3, 500)),
    "without overlap": (RNG.uniform(0, 1e-3, 400), RNG.uniform(1, 2, 50)),
    "tiny": (RNG.gamma(1, 1e-6, 3000), RNG.gamma(1, 3e-6, 200)),
    "huge": (RNG.uniform(0, 1e-9, 20_000), np.concatenate([RNG.uniform(0, 1e-9, 20), [4.6]])),
    "few": (np.array([0.1, 0.2]), np.array([0.15])),
    "constant": (np.full(50, 2.3), np.full(40, 2.3)),
}


@pytest.mark.parametrize("name", ENTROPIES)
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_scikit_learns_solution(name: str, weighted: bool) -> None:
    from sklearn.linear_model import LogisticRegression

    inside, outside = ENTROPIES[name]
    x = np.concatenate([inside, outside])
    y = np.arange(len(x)) < len(inside)
    weight = np.where(y, 7.5, 1.0) if weighted else np.ones(len(x))
    reference = LogisticRegression(C=2.0, solver="newton-cholesky", tol=1e-10).fit(x[:, None], y, weight)
    slope, intercept = logistic_fit(x, y, weight, c=2.0)
    expected = (float(reference.coef_[0, 0]), float(reference.intercept_[0]))
    assert (slope, intercept) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert np.array_equal(slope * x + intercept > 0, reference.predict(x[:, None]).astype(bool)) or (
        abs(slope) < 1e-3  # such a fit is not used
    )


def test_a_single_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="both members and non-members"):
        logistic_fit(np.ones(3), np.ones(3, bool), np.ones(3), c=2.0)
