"""Sequences: one request after another, each from the last result, measured against all of them so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from benchmarks import Scenario, run_trial
from benchmarks.training.recipes import Recipe
from benchmarks.trial.prepared import prepare
from tests.benchmarks.helpers import function_method

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


RECIPE = Recipe(epochs=2)


@pytest.fixture(scope="module")
def sequence():
    return prepare(Scenario("digits", "cnn2", "sequence", "3>8+1>0"), recipe=RECIPE, record=True)


def test_each_step_starts_from_the_last_result_and_is_asked_for_what_is_new(sequence) -> None:
    seen = []

    def does(model, data, rng):
        bias = model[-1].bias.detach()[0].item()
        asked = sorted(set(data.forget.labels.tolist()))
        kept = sorted(set(data.retain.labels.tolist()))
        seen.append((round(bias - start), data.forget_classes, asked, kept, data.task))
        with torch.no_grad():
            model[-1].bias += 1
        return model

    start = sequence.original[-1].bias.detach()[0].item()
    result = run_trial(sequence, function_method(does))
    assert result.state == "complete", result.error
    rest = [set(range(10)) - gone for gone in ({3}, {1, 3, 8}, {0, 1, 3, 8})]
    assert [(b, f, a) for b, f, a, _, _ in seen] == [(0, (3,), [3]), (1, (1, 8), [1, 8]), (2, (0,), [0])]
    assert [set(kept) for _, _, _, kept, _ in seen] == rest
    assert {task for *_, task in seen} == {"full_class"}


def test_steps_are_measured_against_all_that_was_asked_for_so_far(sequence) -> None:
    result = run_trial(sequence, "neggrad", {"lr": 1e-3, "epochs": 1}, seed=1)
    assert [step.request for step in result.steps] == ["3", "1+8", "0"]
    for step, forget in zip(result.steps, ("3", "1+3+8", "0+1+3+8"), strict=True):
        alone = prepare(Scenario("digits", "cnn2", "full_class", forget), recipe=RECIPE)
        assert step.targets == alone.targets("test")
    first = prepare(Scenario("digits", "cnn2", "full_class", "3"), recipe=RECIPE)
    assert result.steps[0].metrics == run_trial(first, "neggrad", {"lr": 1e-3, "epochs": 1}, seed=1).metrics
    assert result.metrics == result.steps[-1].metrics
    assert result.targets == result.steps[-1].targets
    assert result.cost.unlearn_s == pytest.approx(sum(step.unlearn_s for step in result.steps))


def test_a_sequence_shares_its_models_with_the_classes_it_adds_up_to(
    sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "benchmarks.training.models.train", lambda *args, **more: pytest.fail("trained again")
    )
    prepare(Scenario("digits", "cnn2", "full_class", "0+1+3+8"), recipe=RECIPE)
    assert all(step.original is sequence.original for step in sequence.steps)


def test_recorded_steps_are_those_of_each_request(sequence) -> None:
    alone = prepare(Scenario("digits", "cnn2", "full_class", "1+8"), recipe=RECIPE, record=True)
    for name, value in alone.updates.items():
        assert torch.equal(value, sequence.steps[1].updates[name])
    assert run_trial(sequence, "amnesiac_delta", {"repair_epochs": 1}).state == "complete"


def test_a_single_request_has_no_steps(digits: Prepared) -> None:
    assert run_trial(digits, "original").steps == ()


def test_methods_must_be_defined_for_classes(sequence) -> None:
    shares = []
    run_trial(sequence, "finetune", {"epochs": 1}, observe=lambda share, measure: shares.append(share))
    assert np.all(np.diff(shares) > 0)
    assert shares[-1] == 1
