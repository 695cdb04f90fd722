"""Hyper-parameters declared once, built and checked from that."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import InvalidParameters
from benchmarks.hyperparameters import build, declared, option, param
from benchmarks.methods import methods


@dataclass(frozen=True)
class Params:
    lr: float = param(0.1, 1e-5, 1.0, log=True, doc="rate")
    epochs: int = param(3, 1, 5, searched=False, doc="passes")
    momentum: float = param(0.0, 0.0, 0.99, doc="momentum")
    mode: str = option("eval", choices=("eval", "train"), doc="mode")
    flag: bool = option(False, doc="flag")
    clip: float | None = option(None, doc="clip")
    extra: int | None = option(None, work=True, doc="more passes, none by default")


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**400, max_value=10**401),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.sampled_from([np.int64(3), np.float32(0.5), np.bool_(True), "eval", 3.0, 0, -1]),
)


def test_declared_returns_everything_that_a_parameter_states() -> None:
    lr, epochs, _, mode, flag, clip, extra = declared(Params)
    assert (lr.name, lr.kind, lr.default, lr.low, lr.high, lr.log) == ("lr", float, 0.1, 1e-5, 1.0, True)
    assert (lr.searched, lr.has_range, lr.doc) == (True, True, "rate")
    assert (epochs.kind, epochs.searched, epochs.has_range) == (int, False, True)
    assert (mode.kind, mode.choices, mode.has_range, mode.searched) == (str, ("eval", "train"), False, False)
    assert (flag.kind, flag.optional) == (bool, False)
    assert (clip.kind, clip.optional, clip.work) == (float, True, False)
    assert (extra.kind, extra.optional, extra.work, extra.has_range) == (int, True, True, False)


def test_a_plain_field_is_refused() -> None:
    @dataclass(frozen=True)
    class Plain:
        lr: float = 0.1

    with pytest.raises(TypeError, match=r"Plain\.lr"):
        declared(Plain)


def test_build_fills_in_defaults_and_brings_values_to_their_type() -> None:
    made = build(Params, {"epochs": 4.0, "lr": 1, "clip": None})
    assert made == Params(lr=1.0, epochs=4)
    assert type(made.epochs) is int
    assert type(made.lr) is float
    assert build(Params, {}) == Params()


def test_values_may_come_from_a_table() -> None:
    made = build(Params, {"epochs": np.int64(2), "lr": np.float32(0.5), "flag": np.bool_(True)})
    assert made == Params(epochs=2, lr=0.5, flag=True)
    assert type(made.epochs) is int
    assert type(made.flag) is bool


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lrr": 1}, "unknown hyper-parameter 'lrr'; did you mean 'lr'"),
        ({"epochs": 2.5}, "'epochs' must be of type int, not 2.5"),
        ({"epochs": True}, "type int"),
        ({"epochs": 0}, "'epochs' must be above 0"),
        ({"epochs": -3}, "above 0"),
        ({"extra": 0}, "'extra' must be above 0"),
        ({"lr": "fast"}, "'lr' must be of type float, not 'fast'"),
        ({"lr": math.nan}, "type float"),
        ({"lr": math.inf}, "type float"),
        ({"lr": None}, "type float"),
        ({"lr": 10**400}, "type float"),
        ({"flag": 1}, "type bool"),
        ({"mode": "evil"}, "'mode' cannot be 'evil'; did you mean 'eval'"),
        ({"mode": 3}, "type str"),
    ],
)
def test_bad_values_are_named(values, message: str) -> None:
    with pytest.raises(InvalidParameters, match=message):
        build(Params, values)


def test_the_range_bounds_a_search_and_not_a_user() -> None:
    assert build(Params, {"lr": 50.0, "epochs": 99}) == Params(lr=50.0, epochs=99)
    assert build(Params, {"momentum": 0.0}).momentum == 0.0


@given(st.dictionaries(st.sampled_from(["lr", "epochs", "momentum", "mode", "flag", "clip", "no"]), anything))
def test_build_gives_right_types_or_a_single_error(values) -> None:
    try:
        made = build(Params, values)
    except InvalidParameters:
        return
    for p in declared(Params):
        value = getattr(made, p.name)
        assert (value is None and p.optional) or type(value) is p.kind
        if p.kind is float and value is not None:
            assert math.isfinite(value)
        if p.choices:
            assert value in p.choices


@given(st.sampled_from([m for m in methods if declared(m.Params)]), st.data())
def test_every_value_of_a_declared_range_is_accepted(method, data) -> None:
    values = {}
    for p in declared(method.Params):
        if p.has_range:
            numbers = st.floats if p.kind is float else st.integers
            values[p.name] = data.draw(numbers(p.low, p.high))
        elif p.choices:
            values[p.name] = data.draw(st.sampled_from(p.choices))
    built = dataclasses.asdict(build(method.Params, values))
    assert {name: built[name] for name in values} == values
