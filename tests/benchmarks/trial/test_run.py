"""A trial: what it returns, what fails and what raises, and that it repeats."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.errors import InvalidParameters, InvalidScenario, UnknownName
from benchmarks.metrics import Metric, metrics
from benchmarks.trial.run import Pruned
from tests.benchmarks.helpers import function_method, weights

if TYPE_CHECKING:
    from benchmarks.training.recipes import Recipe


JIT = {"lr": 1e-3, "n_samples": 5}


def same_metrics(a, b):
    assert a.keys() == b.keys()
    return all(a[k] == b[k] or (math.isnan(a[k]) and math.isnan(b[k])) for k in a)


def test_a_complete_trial(digits: Prepared) -> None:
    result = run_trial(digits, "jit", JIT, seed=5)
    assert (result.state, result.error) == ("complete", "")
    assert (result.method, result.access, result.seed, result.held_out) == ("jit", "forget", 5, "test")
    assert result.params["lr"] == 1e-3
    assert result.params["sigma"] == 0.5
    assert set(result.metrics) == set(result.targets) == {m.name for m in metrics if m.measured == "always"}
    assert result.cost.unlearn_s > 0
    assert result.cost.eval_s > 0
    assert result.cost.peak_memory_mb > 10
    assert not result.model.training


def test_metrics_agree_with_the_model_that_is_returned(digits: Prepared) -> None:
    result = run_trial(digits, "jit", JIT)
    images = digits.splits["forget_test"]
    with torch.inference_mode():
        predicted = result.model(images.ready(images.pixels(images.index))).argmax(1)
    assert result.metrics["forget_acc"] == pytest.approx(100 * (predicted == 8).float().mean().item())


@pytest.mark.parametrize("held_out", ["validation", "test"])
def test_the_held_out_split_is_as_requested(digits: Prepared, held_out: str) -> None:
    result = run_trial(digits, "original", held_out=held_out)
    assert len(result.evaluation.retain_held_out) == len(digits.splits[f"retain_{held_out}"])
    assert result.targets["forget_acc"] == 0
    assert result.targets == digits.targets(held_out)


def test_chosen_metrics_only(digits: Prepared) -> None:
    assert set(run_trial(digits, "original", metrics=iter(["gap", "mia"])).metrics) == {"gap", "mia"}


def test_the_same_seed_gives_the_same_row_whatever_ran_before(digits: Prepared) -> None:
    first = run_trial(digits, "jit", JIT, seed=1)
    run_trial(digits, "finetune", {"epochs": 1})
    torch.manual_seed(99)
    again = run_trial(digits, "jit", JIT, seed=1)
    assert same_metrics(first.metrics, again.metrics)
    assert torch.equal(weights(first.model), weights(again.model))
    other = run_trial(digits, "jit", JIT, seed=2)
    assert not torch.equal(weights(first.model), weights(other.model))


def test_a_numpy_seed_is_a_seed(digits: Prepared) -> None:
    plain, numpy = run_trial(digits, "jit", JIT, seed=1), run_trial(digits, "jit", JIT, seed=np.int64(1))
    assert type(numpy.seed) is int
    assert same_metrics(plain.metrics, numpy.metrics)


def test_global_randomness_is_seeded_for_the_method_and_put_back(digits: Prepared) -> None:
    drawn = []
    spy = function_method(lambda model, data, rng: drawn.append(torch.rand(1).item()) or model)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    run_trial(digits, spy, seed=1)
    assert torch.equal(torch.rand(1), expected)
    run_trial(digits, spy, seed=1)
    run_trial(digits, spy, seed=2)
    assert drawn[0] == drawn[1] != drawn[2]


def raises(kind, text=""):
    def does(model, data, rng):
        raise kind(text)

    return does


def fills(value):
    def does(model, data, rng):
        with torch.no_grad():
            next(model.parameters()).flatten()[0] = value
        return model

    return does


def huge(model, data, rng):
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1e30)
    return model


class Broken(nn.Module):
    def forward(self, x):
        return torch.full((len(x), 10), math.nan)


@pytest.mark.parametrize(
    ("does", "error"),
    [
        (raises(ValueError, "a\n  b"), r"ValueError: a b \(test_run.py:\d+\)"),
        (raises(AssertionError), "AssertionError: no message"),
        (raises(MemoryError), "MemoryError"),
        (raises(torch.OutOfMemoryError, "tried to allocate 9 GiB"), "out of memory: tried to allocate 9 GiB"),
        (fills(math.nan), "the weights are not finite"),
        (fills(math.inf), "the weights are not finite"),
        (huge, "the logits are not finite"),
        (lambda model, data, rng: Broken(), "the logits are not finite"),
        (lambda model, data, rng: None, "it returned NoneType, not a torch.nn.Module"),
        (lambda model, data, rng: nn.Linear(2, 2), "RuntimeError"),
        (
            lambda model, data, rng: nn.Flatten(),
            r"ValueError: the model has \(64,\) outputs per image, not 10",
        ),
        (lambda model, data, rng: data.retian, "AttributeError"),
    ],
)
def test_what_a_method_does_wrong_is_a_failed_trial(digits: Prepared, does, error: str) -> None:
    result = run_trial(digits, function_method(does))
    assert result.state == "failed"
    assert re.search(error, result.error)
    assert "\n" not in result.error
    assert (result.metrics, result.model, result.evaluation) == ({}, None, None)
    assert result.targets == digits.targets("test")
    assert result.cost.unlearn_s >= 0
    assert run_trial(digits, "original").state == "complete"


def test_memory_that_does_not_suffice_for_a_copy_is_a_failed_trial(
    digits: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_model):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr("copy.deepcopy", full)
    assert run_trial(digits, "original").error == "out of memory: no room"


def test_an_interrupt_is_not_swallowed(digits: Prepared) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_trial(digits, function_method(raises(KeyboardInterrupt)))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        ({"method": "jitt"}, UnknownName, "unknown method 'jitt'"),
        ({"method": "jit", "params": {"sigm": 1}}, InvalidParameters, "did you mean 'sigma'"),
        ({"method": "jit", "params": {"lr": "x"}}, InvalidParameters, "'lr'"),
        ({"method": "jit", "seed": 2**63}, InvalidParameters, "'seed' must fit into 64 bits"),
        ({"method": "jit", "metrics": ["gapp"]}, UnknownName, "unknown metric 'gapp'"),
        ({"method": "jit", "held_out": "train"}, UnknownName, "unknown held-out split 'train'"),
    ],
)
def test_what_the_caller_does_wrong_raises_before_anything_runs(
    digits: Prepared, call, kind, message: str
) -> None:
    with pytest.raises(kind, match=message):
        run_trial(digits, **call)


def test_a_task_that_the_method_does_not_have_raises(digits: Prepared) -> None:
    method = function_method(lambda model, data, rng: model)
    type(method).tasks = ("random",)
    with pytest.raises(InvalidScenario, match="not defined for task 'full_class'"):
        run_trial(digits, method)


def test_the_model_that_comes_back_is_free_of_the_trial(digits: Prepared) -> None:
    model = run_trial(digits, "jit", JIT).model
    assert pickle.loads(pickle.dumps(model))[0].weight.equal(model[0].weight)
    copied = run_trial(digits, function_method(lambda model, data, rng: copy.deepcopy(model))).model
    pickle.dumps(copied)


def test_packed_and_unpacked_elsewhere_it_gives_the_same_result(digits: Prepared) -> None:
    packed = pickle.loads(pickle.dumps(digits.packed))
    again = Prepared.unpack(packed, digits.data)
    first, second = (run_trial(p, "jit", JIT, seed=1) for p in (digits, again))
    assert same_metrics(first.metrics, second.metrics)
    assert same_metrics(first.targets, second.targets)
    assert torch.equal(weights(first.model), weights(second.model))
    assert again.splits["retain_train"].x.data_ptr() == digits.data.train.x.ctypes.data
    assert again.original_id == digits.original_id


def test_images_that_may_not_be_written_are_enough(digits: Prepared) -> None:
    """Processes share them in read-only memory."""

    def frozen(images):
        x, y = images.x.copy(), images.y.copy()
        x.flags.writeable = y.flags.writeable = False
        return replace(images, x=x, y=y)

    data = replace(digits.data, train=frozen(digits.data.train), test=frozen(digits.data.test))
    again = Prepared.unpack(digits.packed, data)
    for method, params in (("jit", JIT), ("amnesiac", {"epochs": 1}), ("finetune", {"epochs": 1})):
        first, second = (run_trial(p, method, params) for p in (digits, again))
        assert same_metrics(first.metrics, second.metrics)


@pytest.fixture
def slow_metric():
    def compute(evaluation, references):
        if evaluation is not references.retrained:
            time.sleep(2)
        return 1.0

    yield metrics.add(Metric("slow", "s", "s", "%", compute, measured="named"))
    metrics.remove("slow")


def test_metrics_that_a_search_does_without_are_no_part_of_the_evaluation_that_is_timed(
    digits: Prepared, slow_metric
) -> None:
    result = run_trial(digits, "original", metrics=["gap", "slow"])
    assert result.cost.eval_s < 2
    assert result.metrics["slow"] == result.targets["slow"] == 1


def test_a_metric_that_fails_on_the_retrained_model_fails_the_trial(digits: Prepared) -> None:
    def compute(evaluation, references):
        raise torch.OutOfMemoryError("no room")

    metrics.add(Metric("greedy", "s", "s", "%", compute, measured="named"))
    try:
        result = run_trial(digits, "original", metrics=["greedy"])
    finally:
        metrics.remove("greedy")
    assert (result.state, result.error) == ("failed", "out of memory: no room")
    assert result.out_of_memory
    assert result.targets == {}


def test_a_result_can_be_pickled(digits: Prepared) -> None:
    result = run_trial(digits, "original")
    again = pickle.loads(pickle.dumps(result))
    assert same_metrics(again.metrics, result.metrics)
    assert np.array_equal(again.evaluation.forget_train.logits, result.evaluation.forget_train.logits)


def test_targets_may_be_given_by_the_caller(digits: Prepared) -> None:
    digits.targets("test").clear()
    assert digits.targets("test")


def test_fewer_images_may_be_evaluated(digits: Prepared, short: Recipe) -> None:
    few = prepare(digits.scenario, recipe=short, eval_limit=20)
    assert few.original_id == digits.original_id
    assert len(few.splits["retain_train"]) == len(digits.splits["retain_train"])
    e = run_trial(few, "original").evaluation
    assert len(e.retain_train) == len(e.forget_train) == len(e.retain_held_out) == 20
    whole = digits.references("test").retrained.retain_train.logits
    position = {int(i): k for k, i in enumerate(digits.measured["retain_train"].index)}
    chosen = [position[int(i)] for i in few.measured["retain_train"].index]
    assert np.allclose(few.references("test").retrained.retain_train.logits, whole[chosen], atol=1e-4)


@pytest.mark.parametrize(("task", "forget"), [("sub_class", "1"), ("random", "30")])
def test_the_other_tasks(short: Recipe, task: str, forget: str) -> None:
    prepared = prepare(Scenario("digits", "cnn2", task, forget), recipe=short)
    for method, params in (("jit", JIT), ("amnesiac", {"epochs": 1})):
        result = run_trial(prepared, method, params)
        assert result.state == "complete", result.error
        e = result.evaluation
        assert e.retain_train.logits.shape[1] == (3 if task == "sub_class" else 10)
        if task == "random":
            assert result.metrics["forget_acc"] == result.metrics["forget_train_acc"]
            assert result.metrics["test_acc"] == result.metrics["retain_acc"]
            assert len(e.forget_train) == 30
            assert len(e.forget_held_out) == 0


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, short: Recipe) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    lines = []
    prepare(
        Scenario("digits", "cnn2", "full_class", "8"), recipe=replace(short, epochs=1), progress=lines.append
    )
    assert lines[0] == "original: training cnn2 on digits, 1 epochs"
    assert any("retrained without 8: epoch 1/1, validation" in line for line in lines)
    assert lines[-1] == "8: evaluating the original and the retrained models"


def test_five_lines_in_a_notebook(short: Recipe) -> None:
    from benchmarks import Scenario, prepare, run_trial

    prepared = prepare(Scenario("digits", "cnn2", "full_class", "8"), recipe=short)
    result = run_trial(prepared, "jit", {"lr": 1e-3, "sigma": 0.5}, seed=0)
    print(result.metrics, result.targets, result.cost.unlearn_s)
    assert result.metrics["retain_acc"] > 50


def test_an_observer_sees_every_step_and_changes_nothing(digits: Prepared) -> None:
    seen = []

    def observe(share, measure):
        seen.append((share, measure() if len(seen) == 10 else None))

    params = {"epochs": 2, "batch_size": 100}
    alone = run_trial(digits, "finetune", params, seed=1)
    watched = run_trial(digits, "finetune", params, seed=1, observe=observe)
    steps = 2 * digits.splits["retain_train"].steps(100)
    assert [share for share, _ in seen] == pytest.approx([(i + 1) / steps for i in range(steps)])
    assert torch.equal(weights(alone.model), weights(watched.model))
    assert watched.cost.samples_forward == alone.cost.samples_forward
    middle = seen[10][1]
    assert middle.state == "running"
    assert middle.metrics["gap"] != watched.metrics["gap"]
    assert 0 < middle.cost.samples_backward < watched.cost.samples_backward
    assert 0 < middle.cost.unlearn_s < watched.cost.unlearn_s


def test_measuring_in_the_middle_is_not_the_methods_time(
    digits: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()  # a second passes at every look, and an hour in every measurement
    hours = []
    monkeypatch.setattr("benchmarks.trial.meter.time.perf_counter", lambda: next(clock) + 3600 * len(hours))
    settings = {"epochs": 1, "batch_size": 1000}
    watched = run_trial(digits, "finetune", settings, observe=lambda share, measure: hours.append(share))
    assert hours
    assert 0 < watched.cost.unlearn_s < 3600


def test_a_pruned_trial_says_why_and_what_it_cost(digits: Prepared) -> None:
    def observe(share, measure):
        if share >= 0.5:
            raise Pruned("half is enough")

    result = run_trial(digits, "finetune", {"epochs": 2, "batch_size": 100}, observe=observe)
    assert (result.state, result.error) == ("pruned", "half is enough")
    assert result.metrics == {}
    assert result.model is None
    half = len(digits.splits["retain_train"])
    assert result.cost.samples_backward == pytest.approx(half, abs=100)


def test_a_model_watched_in_train_mode_is_measured_in_eval_mode_and_goes_on_in_train_mode(
    digits: Prepared,
) -> None:
    modes = []

    def does(model, data, rng):
        step = data.track(model, 1)
        model.train()
        model[0].eval()  # as a method does that freezes some layers
        model.register_forward_pre_hook(lambda m, x: modes.append(m.training))
        step()
        assert model.training
        assert not model[0].training
        return model.eval()

    result = run_trial(digits, function_method(does), observe=lambda share, measure: measure())
    assert result.state == "complete", result.error
    assert modes
    assert not any(modes)


def test_bfloat16_changes_the_method_not_the_evaluation(digits: Prepared) -> None:
    types = []

    def does(model, data, rng):
        x, _ = next(data.retain.batches(8))
        types.append(model(x).dtype)
        step = data.track(model, 1)
        step()
        return model

    def observe(share, measure):
        measure()
        types.append(torch.is_autocast_enabled("cpu"))

    result = run_trial(digits, function_method(does), precision="bfloat16", observe=observe)
    assert types == [torch.bfloat16, False]
    assert result.precision == "bfloat16"
    original = digits.references("test").original.retain_train.logits
    assert np.array_equal(result.evaluation.retain_train.logits, original)
    half, full = (run_trial(digits, "finetune", {"epochs": 1}, precision=p) for p in ("bfloat16", "float32"))
    assert not torch.equal(weights(half.model), weights(full.model))
    assert torch.allclose(weights(half.model), weights(full.model), atol=0.05)
    with pytest.raises(UnknownName, match="did you mean 'bfloat16'"):
        run_trial(digits, "original", precision="bfloat")
