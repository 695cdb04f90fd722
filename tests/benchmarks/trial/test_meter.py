"""What a trial costs: samples, seconds, memory."""

from __future__ import annotations

import copy
import pickle
import time

import pytest
import torch
from torch import nn

from benchmarks.trial.meter import Meter


@pytest.fixture
def meter():
    return Meter(torch.device("cpu"))


def samples(meter):
    return meter.cost().samples_forward, meter.cost().samples_backward


def test_samples_forward_and_backward(meter) -> None:
    model = nn.Linear(3, 2)
    meter.watch(model)
    model(torch.zeros(9, 3))
    with meter.unlearning():
        model(torch.zeros(5, 3)).sum().backward()
        with torch.no_grad():
            model(torch.zeros(7, 3))
        loss = model(torch.zeros(2, 3)).sum()
        loss.backward(retain_graph=True)
        loss.backward()
        model(torch.zeros(4, 3)) + model(torch.zeros(4, 3))
    with meter.evaluating():
        model(torch.zeros(100, 3))
    assert samples(meter) == (5 + 7 + 2 + 8, 5 + 2 + 2)


def test_copies_of_the_model_count_too(meter) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    meter.watch(model)
    with meter.unlearning():
        copy.deepcopy(model)(torch.zeros(5, 3)).sum().backward()
        copy.deepcopy(copy.deepcopy(model)).eval()(torch.zeros(3, 3))
    assert samples(meter) == (8, 5)


def test_several_models_count_together(meter) -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 2)
    meter.watch(first)
    meter.watch(second)
    with meter.unlearning():
        second(first(torch.zeros(5, 3))).sum().backward()
    assert samples(meter) == (10, 10)


def test_a_released_model_or_copy_counts_no_more_and_can_be_pickled(meter) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    meter.watch(model)
    theirs = []
    model.register_forward_hook(lambda *_: theirs.append(1))
    inner = nn.Sequential(copy.deepcopy(model))
    meter.release(inner)
    meter.release(model)
    with meter.unlearning():
        model(torch.zeros(5, 3))
        inner(torch.zeros(5, 3))
    assert samples(meter) == (0, 0)
    assert theirs == [1, 1]
    plain = nn.Linear(3, 2)
    meter.watch(plain)
    meter.release(plain)
    assert pickle.loads(pickle.dumps(plain)).weight.equal(plain.weight)


def test_seconds_of_method_and_evaluation_are_apart_also_after_an_exception(meter) -> None:
    def fails():
        with meter.unlearning():
            time.sleep(0.05)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    with meter.evaluating():
        time.sleep(0.02)
    cost = meter.cost()
    assert 0.05 <= cost.unlearn_s < 1
    assert 0.02 <= cost.eval_s < 1
    meter.watch(model := nn.Linear(3, 2))
    model(torch.zeros(5, 3))
    assert samples(meter) == (0, 0)


def test_peak_memory_is_that_of_the_method(meter) -> None:
    with meter.unlearning():
        torch.ones(60 * 2**18).sum()  # 60 MiB, given back at once
    high = meter.cost().peak_memory_mb
    other = Meter(torch.device("cpu"))
    with other.unlearning():
        pass
    assert high - other.cost().peak_memory_mb > 40
