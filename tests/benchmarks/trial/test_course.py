"""How a model fares while a method runs: when it is measured, and that nothing else changes."""

from __future__ import annotations

import itertools

import pytest
import torch

from benchmarks import Prepared, run_trial
from benchmarks.metrics import measure
from benchmarks.trial.course import Course, Point
from benchmarks.trial.run import Pruned
from tests.benchmarks.helpers import function_method, weights

PARAMS = {"epochs": 2, "batch_size": 100}


def due(points, steps):
    course = Course(points)
    return [step for step in range(1, steps + 1) if course.due(step / steps)]


def test_points_are_spread_evenly_over_the_steps_and_the_last_is_at_the_end() -> None:
    assert due(4, 8) == [2, 4, 6, 8]
    assert due(3, 10) == [4, 7, 10]
    assert due(20, 1000) == list(range(50, 1001, 50))


def test_every_step_of_a_method_with_few_steps_is_measured() -> None:
    assert due(20, 3) == [1, 2, 3]
    assert due(20, 20) == list(range(1, 21))


def test_without_points_nothing_is_due() -> None:
    assert due(0, 10) == []


def test_a_share_that_was_measured_before_is_noted_once() -> None:
    course = Course(1)
    for gap in (1.0, 2.0):
        course.add(Point(0.5, 1.0, {"gap": gap}))
    assert [point.metrics["gap"] for point in course.measured] == [1.0]


def test_the_last_point_is_the_finished_model_and_the_first_ones_are_not(digits: Prepared) -> None:
    result = run_trial(digits, "finetune", PARAMS, seed=1, points=4)
    assert [point.done for point in result.course] == pytest.approx([0.25, 0.5, 0.75, 1], abs=0.05)
    last = result.course[-1]
    assert last.done == 1
    # Splits of digits are so small that all of their images are measured
    assert last.metrics == pytest.approx({name: result.metrics[name] for name in last.metrics})
    assert {"retain_acc", "forget_acc", "mia", "gap"} <= last.metrics.keys()
    assert result.course[0].metrics != last.metrics
    seconds = [point.seconds for point in result.course]
    assert seconds == sorted(seconds)
    assert 0 < seconds[0] < seconds[-1] <= result.cost.unlearn_s


def test_a_point_is_what_the_model_says_at_that_step(digits: Prepared) -> None:
    from benchmarks.evaluation import evaluate

    states = []

    def does(model, data, rng):
        step = data.track(model, 2)
        for _ in range(2):
            with torch.no_grad():
                for p in model.parameters():
                    p.mul_(0.5)
            states.append(evaluate(model, digits.measured, "full_class", "test"))
            step()
        return model

    result = run_trial(digits, function_method(does), points=2)
    expected = [measure(e, digits.references("test"), ["retain_acc", "forget_acc", "mia"]) for e in states]
    assert len(result.course) == 2
    for point, metrics in zip(result.course, expected, strict=True):
        assert {name: point.metrics[name] for name in metrics} == pytest.approx(metrics)


def test_measuring_on_the_way_changes_neither_the_result_nor_its_cost(digits: Prepared) -> None:
    alone = run_trial(digits, "finetune", PARAMS, seed=1)
    measured = run_trial(digits, "finetune", PARAMS, seed=1, points=5)
    assert alone.course == ()
    assert torch.equal(weights(alone.model), weights(measured.model))
    assert alone.metrics == measured.metrics
    assert alone.cost.samples_forward == measured.cost.samples_forward


def test_the_time_of_measuring_is_no_part_of_the_cost(
    digits: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()  # a second passes at every look, and an hour in every measurement
    hours = []
    monkeypatch.setattr("benchmarks.trial.meter.time.perf_counter", lambda: next(clock) + 3600 * len(hours))

    def measured(*args):
        hours.append(args)
        return measurement(*args)

    from benchmarks.trial.measurement import measurement

    monkeypatch.setattr("benchmarks.trial.run.measurement", measured)
    result = run_trial(digits, "finetune", PARAMS, points=3)
    assert len(hours) == 4  # the last one is of the finished model
    assert result.cost.unlearn_s < 3600
    assert result.cost.eval_s < 2 * 3600
    assert all(point.seconds < 3600 for point in result.course)


def test_memory_that_only_measuring_takes_is_not_the_methods(digits: Prepared) -> None:
    big = 300 * 2**20

    def does(model, data, rng):
        step = data.track(model, 3)
        for _ in range(3):
            step()
        return model

    def observe(share, measure):
        torch.ones(big // 4)

    alone = run_trial(digits, function_method(does))
    watched = run_trial(digits, function_method(does), observe=observe)
    assert watched.cost.peak_memory_mb < alone.cost.peak_memory_mb + 150


def test_what_an_observer_measures_to_prune_is_in_the_course(digits: Prepared) -> None:
    results = []

    def observe(share, measure):
        if share >= 0.5:
            results.append(measure())
            raise Pruned("half is enough")

    result = run_trial(digits, "finetune", PARAMS, observe=observe)
    assert result.state == "pruned"
    [point] = result.course
    assert point.done == pytest.approx(0.5, abs=0.05)
    assert point.metrics == results[0].metrics
    assert results[0].course == result.course


def test_a_point_where_the_logits_are_not_finite_has_no_metrics_and_the_trial_goes_on(
    digits: Prepared,
) -> None:
    def does(model, data, rng):
        step = data.track(model, 2)
        last = list(model.parameters())[-1]
        kept = last.detach().clone()
        with torch.no_grad():
            last.fill_(float("inf"))
        step()
        with torch.no_grad():
            last.copy_(kept)
        step()
        return model

    result = run_trial(digits, function_method(does), points=2)
    assert result.state == "complete", result.error
    first, second = result.course
    assert first.metrics == {}
    assert second.metrics["retain_acc"] == result.metrics["retain_acc"]
