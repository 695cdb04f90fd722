"""Samplers of a search, by name, and the bound on its possible gain."""

from __future__ import annotations

import warnings
from typing import Literal

import optuna

Sampler = Literal["tpe", "random", "qmc", "cmaes", "nsga2"]
FEWEST = 20  # complete trials before a bound is calculated; Optuna's own default
EVERY = 5  # trials between two bounds, because each needs a Gaussian process


def sampler(name: Sampler, seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's sampler of a name: seeded, and without warnings about hyper-parameters drawn at random."""
    samplers = optuna.samplers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "random":
            return samplers.RandomSampler(seed=seed)
        if name == "qmc":
            return samplers.QMCSampler(
                scramble=True, seed=seed, warn_asynchronous_seeding=False, warn_independent_sampling=False
            )
        if name == "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        if name == "nsga2":
            return samplers.NSGAIISampler(seed=seed)
    return samplers.TPESampler(seed=seed)


def regret_bound(study: optuna.Study) -> float | None:
    """A bound on the possible gain over the best trial, with high probability (Makarova et al., 2022).

    Returns:
        In units of the objective; None below 20 complete trials.
    """
    from optuna.terminator import RegretBoundEvaluator

    complete = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    if len(complete) < FEWEST:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return float(RegretBoundEvaluator(seed=0).evaluate(study.trials, study.direction))
