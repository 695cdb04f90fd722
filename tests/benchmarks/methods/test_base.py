"""The common part of methods: presets, tasks, registration."""

from __future__ import annotations

import pytest

from benchmarks.errors import InvalidScenario, UnknownName
from benchmarks.hyperparameters import build
from benchmarks.methods import Method, methods
from tests.benchmarks.helpers import function_method


@pytest.fixture
def method() -> Method:
    made = function_method(None)
    type(made).tasks = ("full_class", "sub_class")
    return made


def test_a_preset_by_name() -> None:
    jit = methods.get("jit")
    coded = build(jit.Params, jit.preset("vgg11_full_class_as_coded").values)
    assert (coded.mode, coded.accumulate, coded.sigma) == ("train", True, 0.5)
    with pytest.raises(UnknownName, match="unknown preset of jit 'cnn'; did you mean 'cnn2'"):
        jit.preset("cnn")


def test_a_task_that_a_method_is_not_defined_for_is_an_error(method: Method) -> None:
    method.check_task("sub_class")
    with pytest.raises(
        InvalidScenario, match="'function' is not defined for task 'random', only for full_class and"
    ):
        method.check_task("random")
