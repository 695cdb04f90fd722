"""The two bounds: the original model, and retraining."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from benchmarks import run_trial
from benchmarks.methods import methods
from tests.benchmarks.helpers import data_for, rng, weights

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


RETRAIN = methods.get("retrain")


def test_the_original_costs_nothing_and_is_unchanged(digits: Prepared) -> None:
    result = run_trial(digits, "original")
    assert torch.equal(weights(result.model), weights(digits.original))
    assert (result.cost.samples_forward, result.cost.samples_backward) == (0, 0)
    expected = digits.references("test").original
    assert (result.evaluation.retain_train.logits == expected.retain_train.logits).all()


def test_retraining_owes_nothing_to_the_original_weights(digits: Prepared) -> None:
    def retrained(model: torch.nn.Module) -> torch.Tensor:
        data = replace(data_for(digits, RETRAIN), recipe=replace(digits.packed.recipe, epochs=1))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return weights(RETRAIN.unlearn(model, data, None, rng()))

    other = copy.deepcopy(digits.original)
    with torch.no_grad():
        for p in other.parameters():
            p.add_(1.0)
    assert torch.equal(retrained(digits.original), retrained(other))


def test_no_seed_repeats_the_retrained_model_of_the_scenario(digits: Prepared) -> None:
    """Otherwise a benchmark over seeds would have a row with gap 0 by construction."""
    results = [run_trial(digits, "retrain", seed=seed) for seed in (digits.scenario.seed, 1)]
    logits = digits.packed.retrained_logits[0]["retain_test"]
    for result in results:
        assert abs(result.evaluation.retain_held_out.logits - logits).max() > 0.1
        assert result.metrics["forget_acc"] == 0
    assert not torch.equal(weights(results[0].model), weights(results[1].model))


def test_retraining_counts_the_new_models_samples(digits: Prepared) -> None:
    result = run_trial(digits, "retrain")
    epochs, retain = digits.packed.recipe.epochs, len(digits.splits["retain_train"])
    assert result.cost.samples_backward == epochs * retain
    assert result.cost.samples_forward == epochs * (retain + len(digits.splits["retain_validation"]))
