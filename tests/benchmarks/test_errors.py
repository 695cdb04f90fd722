"""Messages that a person can act on."""

from __future__ import annotations

import pickle

import pytest

from benchmarks import errors


def test_near_names_are_suggested_and_far_ones_list_what_is_valid() -> None:
    assert errors.suggest("jitt", ["jit", "retrain"]) == "did you mean 'jit'?"
    assert errors.suggest("qqq", ["jit", "retrain"]) == "valid: jit, retrain"
    assert errors.suggest("qqq", [f"name{i}" for i in range(50)]).endswith("(50 in all)")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("JiT", "jit"),
        ("CIFAR-10", "cifar10"),
        ("resnet-18", "resnet18"),
        ("Boundary Shrink", "boundary_shrink"),
    ],
)
def test_case_and_punctuation_do_not_hide_what_was_meant(typed: str, meant: str) -> None:
    known = ["jit", "cifar10", "cifar100", "resnet18", "resnet50", "boundary_shrink"]
    assert errors.suggest(typed, known) == f"did you mean '{meant}'?"


def test_a_name_without_letters_is_near_to_nothing() -> None:
    assert errors.suggest("--", ["jit", "+"]) == "valid: jit, +"


@pytest.mark.parametrize(
    "kind", [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.BenchmarkError)]
)
def test_every_error_survives_the_way_between_processes(kind) -> None:
    made = kind("method", "jitt", ["jit"]) if kind is errors.UnknownName else kind("one line")
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is kind
    assert str(again) == str(made)
    assert str(errors.UnknownName("method", "jitt", iter(["jit"]))) == (
        "unknown method 'jitt'; did you mean 'jit'?"
    )
