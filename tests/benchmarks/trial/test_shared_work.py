"""What trials share: computed once, counted in every row, and the same whether it was reused or not."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import pytest
import torch

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.training.recipes import Recipe
from benchmarks.trial.shared_work import Key, Works
from tests.benchmarks.helpers import function_method, weights

TIMES = ("unlearn_s", "eval_s", "shared_s", "reused_s", "peak_memory_mb")


@pytest.fixture(scope="module")
def digits():
    return prepare(Scenario("digits", "cnn2", "full_class", "8"), recipe=Recipe(epochs=2))


@pytest.fixture(scope="module")
def other_class():
    return prepare(Scenario("digits", "cnn2", "full_class", "3"), recipe=Recipe(epochs=2))


def run(prepared, work=None, alpha=5.0, **how):
    result = run_trial(prepared, "ssd", {"alpha": alpha}, shared_seed=7, work=work, **how)
    assert result.state == "complete", result.error
    return result


def test_rows_are_the_same_with_and_without_reuse(digits: Prepared) -> None:
    work = Works()
    run(digits, work, alpha=3.0, seed=2)
    reused, alone = run(digits, work, seed=1), run(digits, seed=1)
    assert torch.equal(weights(reused.model), weights(alone.model))
    assert reused.metrics == alone.metrics
    costs = [{k: v for k, v in asdict(r.cost).items() if k not in TIMES} for r in (reused, alone)]
    assert costs[0] == costs[1]
    assert alone.cost.reused_s == 0 < alone.cost.shared_s < alone.cost.unlearn_s


def test_reused_seconds_and_samples_count_for_the_trial(digits: Prepared) -> None:
    work = Works()
    first, second = run(digits, work), run(digits, work)
    assert first.cost.reused_s == 0
    assert second.cost.reused_s == second.cost.shared_s == first.cost.shared_s > 0
    assert second.cost.unlearn_s > second.cost.reused_s
    assert second.cost.samples_backward == first.cost.samples_backward > 0
    assert second.cost.peak_memory_mb > 0
    assert second.cost.spent_s == pytest.approx(
        second.cost.unlearn_s - second.cost.reused_s + second.cost.eval_s
    )


def test_a_value_of_the_model_serves_other_forget_sets(digits: Prepared, other_class) -> None:
    work = Works()
    run(digits, work)
    known = {key.name for key in work.known}
    assert known == {"importance", "forget_importance"}
    run(other_class, work)
    names = [key.name for key in work.known]
    assert sorted(names) == ["forget_importance", "forget_importance", "importance"]


@pytest.mark.parametrize(
    "how", [{"shared_seed": 8}, {"precision": "bfloat16"}, {"params": {"batch_size": 64}}], ids=str
)
def test_what_decides_a_value_keeps_it_apart(digits: Prepared, how) -> None:
    work = Works()
    run(digits, work)
    how = {"params": {}, "shared_seed": 7, **how}
    result = run_trial(digits, "ssd", work=work, **how)
    assert result.cost.reused_s == 0


def test_the_number_of_threads_keeps_it_apart(digits: Prepared) -> None:
    work, threads = Works(), torch.get_num_threads()
    run(digits, work)
    torch.set_num_threads(threads + 1)
    try:
        assert run(digits, work).cost.reused_s == 0
    finally:
        torch.set_num_threads(threads)


def test_other_weights_of_the_same_model_keep_it_apart(digits: Prepared) -> None:
    """As where the model was deleted from the cache and trained again on another device."""
    work = Works()
    run(digits, work)
    original = {name: values * 2 for name, values in digits.packed.original.items()}
    again = replace(digits.packed, original=original, weights_id="other")
    assert run(Prepared.unpack(again, digits.data), work).cost.reused_s == 0


def test_values_of_a_sequence_belong_to_its_scenario() -> None:
    """With which they are freed."""
    prepared = prepare(Scenario("digits", "cnn2", "sequence", "3>8"), recipe=Recipe(epochs=2))
    work = Works()
    run(prepared, work)
    assert {key.scenario for key in work.known} == {"", prepared.scenario.key}


def test_order_stored_is_shared_within_a_scenario_only(digits: Prepared, other_class) -> None:
    work = Works()
    for prepared in (digits, other_class):
        assert run_trial(prepared, "ssd", {"order": "stored"}, shared_seed=7, work=work).cost.reused_s == 0
    assert run_trial(digits, "ssd", {"order": "stored"}, shared_seed=7, work=work).cost.reused_s > 0


def test_batches_do_not_matter_to_the_importance_per_image(digits: Prepared) -> None:
    work, values = Works(), {"importance": "per_image"}
    run_trial(digits, "ssd", values, shared_seed=7, work=work)
    again = run_trial(digits, "ssd", {**values, "batch_size": 8, "order": "stored"}, shared_seed=7, work=work)
    assert again.cost.reused_s == again.cost.shared_s > 0


def test_torchs_global_state_is_put_back(digits: Prepared) -> None:
    def does(model, data, rng):
        before = torch.get_rng_state()
        drawn = data.once("draw", lambda g: torch.rand(3))
        assert torch.equal(torch.get_rng_state(), before)
        with torch.no_grad():
            next(model.parameters()).add_(drawn[0])
        return model

    method = function_method(does)
    first, second = (run_trial(digits, method, seed=s, shared_seed=7) for s in (0, 1))
    assert first.state == "complete", first.error
    assert torch.equal(weights(first.model), weights(second.model))


class Waits(Works):
    """As if another worker took its time."""

    def get(self, key: Key, compute, device):
        time.sleep(0.3)
        return super().get(key, compute, device)


def test_waiting_counts_nowhere(digits: Prepared) -> None:
    def does(model, data, rng):
        data.once("nothing", lambda g: 1.0)
        return model

    cost = run_trial(digits, function_method(does), work=Waits()).cost
    assert cost.unlearn_s < 0.25
    assert cost.shared_s < 0.25


def test_what_a_computation_raises_is_the_trials_failure_and_is_not_kept(digits: Prepared) -> None:
    work, tries = Works(), []

    def does(model, data, rng):
        def compute(g):
            tries.append(1)
            time.sleep(0.05)
            raise ArithmeticError("no value")

        data.once("broken", compute)
        return model

    for _ in range(2):
        result = run_trial(digits, function_method(does), work=work)
        assert result.state == "failed"
        assert "no value" in result.error
        assert result.cost.unlearn_s >= 0.05
    assert len(tries) == 2
    assert not work.known


def test_a_value_that_was_changed_is_dropped(digits: Prepared) -> None:
    work = Works()

    def does(model, data, rng):
        data.once("mean", lambda g: torch.zeros(3)).add_(1)
        return model

    result = run_trial(digits, function_method(does), work=work)
    assert result.state == "failed"
    assert "changed the shared value 'mean' in place" in result.error
    assert not work.known


def test_a_value_is_apart_from_the_model_it_was_read_from(digits: Prepared) -> None:
    work = Works()

    def does(model, data, rng):
        first = next(model.parameters())
        value = data.once("first", lambda g: {"weights": [first, first.view(-1)[:2]]})
        with torch.no_grad():
            first.add_(value["weights"][0])
        return model

    first, second = (run_trial(digits, function_method(does), work=work) for _ in range(2))
    assert first.state == "complete", first.error
    assert torch.equal(weights(first.model), weights(second.model))


def test_later_steps_of_a_sequence_share_nothing() -> None:
    prepared = prepare(Scenario("digits", "cnn2", "sequence", "8>3"), recipe=Recipe(epochs=2))
    work = Works()
    first, second = run(prepared, work), run(prepared, work)
    assert len(work.known) == 2
    assert torch.equal(weights(first.model), weights(second.model))
    assert 0 < second.cost.reused_s < second.cost.shared_s
    assert torch.equal(weights(run(prepared).model), weights(second.model))
