"""What each level of access opens, and that no more is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks import run_trial
from benchmarks.access import Access
from benchmarks.errors import AccessDenied
from tests.benchmarks.helpers import data_for, function_method

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


NEEDS = {
    "forget_classes": Access.CLASS_ID,
    "forget": Access.FORGET,
    "retain": Access.RETAIN,
    "validation": Access.RETAIN,
}


@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("what", NEEDS)
def test_each_level_opens_what_it_declares_and_no_more(digits: Prepared, access, what) -> None:
    data = data_for(digits, function_method(None, access))
    if access >= NEEDS[what]:
        assert len(getattr(data, what))
        return
    with pytest.raises(AccessDenied) as raised:
        getattr(data, what)
    assert "method 'function'" in str(raised.value)
    assert f"declares access '{access.label}'" in str(raised.value)
    assert f"declare Access.{NEEDS[what].name}" in str(raised.value)


@pytest.mark.parametrize("access", Access)
def test_what_every_method_may_know(digits: Prepared, access) -> None:
    data = data_for(digits, function_method(None, access))
    assert (data.task, data.num_classes, data.image_shape) == ("full_class", 10, (1, 8, 8))
    assert data.recipe == digits.packed.recipe
    assert data.new_model()(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_the_handle_holds_what_it_says(digits: Prepared) -> None:
    data = data_for(digits, function_method(None, Access.RETAIN))
    assert data.forget_classes == (8,)
    assert set(data.forget.labels.tolist()) == {8}
    assert set(data.retain.labels.tolist()) == set(data.validation.labels.tolist()) == set(range(10)) - {8}
    assert not set(data.retain.index.tolist()) & set(data.validation.index.tolist())
    assert len(data.forget) + len(data.retain) + len(data.validation) < len(digits.data.train)


def test_no_other_image_is_reached_through_the_forget_images(digits: Prepared) -> None:
    data = data_for(digits, function_method(None, Access.FORGET))
    assert len(data.forget.x) == len(data.forget.y) == len(data.forget)
    assert set(data.forget.y.tolist()) == {8}
    expected = digits.splits["forget_train"]
    assert torch.equal(data.forget.x, expected.pixels(expected.index))


def test_new_models_differ_from_each_other_and_repeat_with_the_seed(digits: Prepared) -> None:
    def two(seed):
        data = data_for(digits, function_method(None, Access.MODEL), seed)
        return [torch.cat([p.flatten() for p in data.new_model().parameters()]) for _ in range(2)]

    first, second = two(0)
    again, _ = two(0)
    other, _ = two(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_method_that_reads_too_much_fails_with_the_reason(digits: Prepared) -> None:
    greedy = function_method(lambda model, data, rng: model if data.retain else None, Access.FORGET)
    result = run_trial(digits, greedy)
    assert result.state == "failed"
    assert result.error.startswith(
        "AccessDenied: method 'function' declares access 'forget' but reads the retain"
    )
