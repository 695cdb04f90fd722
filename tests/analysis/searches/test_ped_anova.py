from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from analysis.searches import ped_anova


def _by_optuna(values: np.ndarray, metric: np.ndarray, space: list[FloatDistribution]) -> np.ndarray:
    study = optuna.create_study()
    names = [str(i) for i in range(len(space))]
    distributions = dict(zip(names, space, strict=True))
    for row, value in zip(values.T.tolist(), metric.tolist(), strict=True):
        params = dict(zip(names, row, strict=True))
        study.add_trial(create_trial(params=params, distributions=distributions, value=value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.1)
    figures = evaluator.evaluate(study, params=names)
    return np.array([figures[name] for name in names])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trials", [20, 53, 250])
@pytest.mark.parametrize("seed", range(4))
def test_every_sample_has_the_value_that_optuna_gives(trials: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = [FloatDistribution(1e-5, 1.0, log=True), FloatDistribution(0.0, 3.0), FloatDistribution(1.0, 5.0)]
    values = np.array(
        [10.0 ** rng.uniform(-5, 0, trials), rng.uniform(0, 3, trials), rng.integers(1, 6, trials)]
    )
    metric = np.round(np.abs(np.log10(values[0]) + 2) + rng.gamma(1.0, 0.3, trials), 1)  # with ties
    cells = np.array(
        [ped_anova.cells(v, s.low, s.high, log=s.log) for v, s in zip(values, space, strict=True)]
    )
    picks = ped_anova.samples(trials, 3, seed)
    top, every = ped_anova.counted(cells, metric, 0.1, picks)
    flat = top.reshape(-1, ped_anova.CELLS), every.reshape(-1, ped_anova.CELLS)
    figures = ped_anova.divergences(*flat).reshape(len(picks), len(space))
    for pick, divergence in zip(picks, figures, strict=True):
        whole = _by_optuna(values[:, pick], metric[pick], space)
        last = np.sort(metric[pick])[int(np.ceil(0.1 * trials)) - 1]
        share = (metric[pick] <= last).mean()  # Optuna's figure has this factor, which cancels in shares
        np.testing.assert_allclose(divergence * share**2, whole, rtol=1e-9, atol=1e-12)
