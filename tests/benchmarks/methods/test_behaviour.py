"""Every method forgets digits on every task it is defined for, with parameters that a short search found.

On test images and on a seed that the search never saw. The gap of the unlearned model must be below that of
the original one. What does not work is listed, so that the truth about it stays known.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.methods import methods

FORGET = {"full_class": "8", "sub_class": "1", "random": "20"}
# Task -> method -> the best point of 50 trials of `unlearn search` on these scenarios
FOUND: dict[str, dict[str, dict[str, Any]]] = json.loads((Path(__file__).parent / "found.json").read_text())
# As far as before on the 20 images of this task, whatever the parameters were that the search chose
NO_NEARER = {("random", "finetune"), ("random", "neggrad_plus"), ("random", "scrub")}
STILL_KNOWN = {("full_class", "finetune"), ("sub_class", "finetune")}  # nearer by MIA alone
CASES = [(task, method.name) for method in methods if not method.reference for task in method.tasks]


@cache
def prepared(task: str) -> Prepared:
    return prepare(Scenario("digits", "cnn2", task, FORGET[task]), record=True)


@cache
def original(task: str) -> dict[str, float]:
    return run_trial(prepared(task), "original").metrics


@pytest.mark.parametrize(("task", "method"), CASES)
def test_it_comes_nearer_to_the_retrained_model(task: str, method: str) -> None:
    result = run_trial(prepared(task), method, FOUND[task][method], seed=1)
    assert result.state == "complete", result.error
    before = original(task)["gap"]
    assert result.metrics["gap"] < (before + 2 if (task, method) in NO_NEARER else before - 1)
    if task != "random":
        forgets = result.metrics["forget_acc"] < original(task)["forget_acc"] - 10
        assert forgets == ((task, method) not in STILL_KNOWN)


def test_the_found_points_are_those_of_the_methods_that_there_are() -> None:
    assert {(task, method) for task, points in FOUND.items() for method in points} == set(CASES)
