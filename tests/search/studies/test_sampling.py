"""Samplers by name: seeded, different from each other, and better than chance if they learn."""

from __future__ import annotations

import math
import warnings
from typing import get_args

import optuna
import pytest

from search.studies.sampling import FEWEST, Sampler, regret_bound, sampler

LR = optuna.distributions.FloatDistribution(1e-6, 1.0, log=True)
STEPS = optuna.distributions.IntDistribution(1, 20)


def landscape(params: dict[str, float]) -> float:
    return abs(math.log10(params["lr"]) + 3) + abs(params["steps"] - 7) / 5


def search(name: Sampler, seed: int, trials: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler(name, seed))
    for _ in range(trials):
        trial = study.ask({"lr": LR, "steps": STEPS})
        study.tell(trial, landscape(trial.params))
    return study


@pytest.mark.parametrize("name", get_args(Sampler))
def test_a_seed_decides_what_is_drawn(name: Sampler) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, again, other = (search(name, seed, 25) for seed in (1, 1, 2))
    assert [t.params for t in first.trials] == [t.params for t in again.trials]
    assert [t.params for t in first.trials] != [t.params for t in other.trials]


def test_each_name_is_another_sampler() -> None:
    drawn = {name: tuple(t.params["lr"] for t in search(name, 0, 40).trials) for name in get_args(Sampler)}
    assert len(set(drawn.values())) == len(drawn) - 1  # nsga2's first generation is random
    assert drawn["nsga2"] == drawn["random"]


def test_tpe_comes_nearer_than_random_points() -> None:
    nearest = {
        name: sum(search(name, seed, 60).best_value for seed in range(5)) for name in ("tpe", "random")
    }
    assert nearest["tpe"] < nearest["random"] / 2


def test_the_bound_holds_and_needs_enough_trials() -> None:
    assert regret_bound(search("tpe", 0, FEWEST - 1)) is None
    study = search("tpe", 0, 60)
    bound = regret_bound(study)
    assert bound is not None
    assert study.best_value <= bound  # the optimum is 0
    assert bound == regret_bound(study)
