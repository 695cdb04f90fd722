"""Search spaces come only from the declarations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.errors import InvalidParameters
from benchmarks.hyperparameters import declared
from benchmarks.methods import methods
from search.studies.spaces import departures, search_space

JIT = methods.get("jit").Params
FINETUNE = methods.get("finetune").Params


def test_every_searched_parameter_keeps_its_range_and_scale() -> None:
    for method in methods:
        space = search_space(method.Params)
        wanted = {p.name: (p.low, p.high, p.log) for p in declared(method.Params) if p.searched}
        ranges = {name: (d.low, d.high, d.log) for name, d in space.varied.items()}  # type: ignore[attr-defined]
        assert ranges == wanted
        assert not space.fixed


def test_a_range_varies_and_a_value_fixes() -> None:
    space = search_space(JIT, {"n_samples": [10, 50], "sigma": 0.3})
    assert space.varied["n_samples"] == IntDistribution(10, 50, log=True)
    assert "sigma" not in space.varied
    assert space.fixed == {"sigma": 0.3}


def test_more_values_than_two_are_choices() -> None:
    space = search_space(
        JIT, {"lr": ["0.1", "1e-2", 0.001, 0.01], "norm": ["squared", "l2"], "mode": ["eval"]}
    )
    assert space.varied["lr"] == CategoricalDistribution((0.001, 0.01, 0.1))
    assert space.choices == {"lr": [0.001, 0.01, 0.1], "norm": ["l2", "squared"]}
    assert list(space.ranges) == ["sigma"]
    assert space.fixed == {}, "the one that is there is the default"
    inside = {"lr": 0.01, "sigma": 0.5, "norm": "l2"}
    assert space.point(inside) == inside
    assert space.point({**inside, "lr": 0.05}) is None
    assert space.point({**inside, "norm": None}) is None


def test_two_values_are_choices_where_a_plan_says_so_and_a_single_value_is_fixed() -> None:
    assert departures(JIT, {"lr": {"choices": [".5", 1e-5]}}) == {"lr": {"choices": [1e-5, 0.5]}}
    assert departures(JIT, {"lr": {"choices": [0.5, ".5"]}}) == {"lr": 0.5}
    assert departures(JIT, {"accumulate": ["yes", "no"]}) == {"accumulate": {"choices": [False, True]}}
    assert departures(JIT, {"grad_clip": [1, None]}) == {"grad_clip": {"choices": [None, 1.0]}}
    once = departures(JIT, {"lr": [3, 1, 2]})
    assert departures(JIT, once) == once


def test_overrides_are_typed_and_only_what_departs_from_the_declaration() -> None:
    lr = next(p for p in declared(JIT) if p.name == "lr")
    spelt = {"n_samples": "50.0", "lr": ["1e-5", ".5"], "accumulate": "Yes", "epochs": "1"}
    assert departures(JIT, spelt) == {"accumulate": True, "lr": [1e-5, 0.5], "n_samples": 50}
    assert departures(JIT, {"lr": [lr.low, lr.high]}) == {}
    assert departures(JIT, {"lr": [0.5, 0.5]}) == {"lr": 0.5}
    assert list(search_space(JIT, {"sigma": [0.1, 0.2]}).varied) == list(search_space(JIT).varied)


def test_yaml_writes_small_numbers_as_text() -> None:
    space = search_space(JIT, {"lr": ["1e-5", "1e-2"]})
    assert space.varied["lr"] == FloatDistribution(1e-5, 1e-2, log=True)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"lrr": 0.1}, "did you mean 'lr'"),
        ({"norm": ["l2", "cubed"]}, "cannot be 'cubed'"),
        ({"norm": []}, r"takes a value, a range \[low, high\] or \{choices: "),
        ({"lr": {"choice": [1, 2]}}, r"takes a value, a range \[low, high\] or \{choices: "),
        ({"lr": [0.1, 0.2, "fast"]}, "of type float"),
        ({"lr": [1e-2, 1e-5]}, r"must be \[low, high\]"),
        ({"lr": [1e-2]}, r"must be \[low, high\]"),
        ({"lr": [0.0, 1.0]}, "above 0"),
        ({"lr": "fast"}, "of type float"),
        ({"norm": "l3"}, "cannot be 'l3'"),
        ({"n_samples": 2.5}, "of type int"),
        ({"n_samples": 1e12}, "at most 1e\\+09"),
        ({"lr": [1e-5, 1e300]}, "at most 1e\\+15"),
        ({"lr": ["nan", 1]}, "of type float"),
    ],
)
def test_nonsense_is_refused_with_what_is_valid(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameters, match=message):
        search_space(JIT, overrides)


@given(st.floats(1e-7, 10), st.integers(-3, 40))
def test_a_point_is_given_only_inside_the_space(lr: float, epochs: int) -> None:
    inside = 1e-5 <= lr <= 1e-1 and 1 <= epochs <= 20
    point = search_space(FINETUNE).point({"lr": lr, "epochs": epochs, "batch_size": 64})
    assert point == ({"lr": lr, "epochs": epochs} if inside else None)
