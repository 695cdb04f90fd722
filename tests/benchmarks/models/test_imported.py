"""The family `import:<module>:<function>`: user-defined networks."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.errors import BenchmarkError
from benchmarks.models import models

NETWORKS = '''
"""User-defined networks."""
import torch
from torch import nn

def build(num_classes, channels, image_size):
    """One layer.

    And more text.
    """
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * image_size**2, num_classes))

def no_network(num_classes, channels, image_size):
    return "a network"

def other_arguments(num_classes):
    return nn.Linear(1, num_classes)

def raises(num_classes, channels, image_size):
    raise ValueError("no such thing\\nand more")

def pair(num_classes, channels, image_size):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = build(num_classes, channels, image_size)

        def forward(self, x):
            return self.layers(x), x

    return Pair()

calls = []

def counted(num_classes, channels, image_size):
    calls.append(image_size)
    return build(num_classes, channels, image_size)

def lazy(num_classes, channels, image_size):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))

not_callable = 3
'''

FORWARD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, channels, image_size):
        super().__init__()
        self.layer = nn.Linear(channels * image_size**2, num_classes)

    def forward(self, x):
        return torch.{}(self.layer(x.flatten(1)))
"""


@pytest.fixture(autouse=True)
def user_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "user_nets.py").write_text(NETWORKS)
    (tmp_path / "broken_nets.py").write_text("import nothing_of_that_name")
    (tmp_path / "ending_nets.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("user_nets", "broken_nets", "ending_nets"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_function_is_imported_by_its_path() -> None:
    model = models.get("import:user_nets:build")
    assert (model.name, model.summary) == ("import:user_nets:build", "One layer.")
    assert model.build(7, 3, 8)(torch.zeros(2, 3, 8, 8)).shape == (2, 7)
    assert models.get("import:user_nets:build@16").input_size(8) == 16


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("user_nets", "after 'import:' write a module and a function, as in 'my.code:build'"),
        ("user nets:build", "after 'import:' write a module"),
        ("user_nets:", "after 'import:' write a module"),
        ("own_netz:build", "the module 'own_netz' does not import"),
        ("broken_nets:build", "No module named 'nothing_of_that_name'"),
        ("ending_nets:build", "does not import (SystemExit: 0)"),
        ("user_nets:biuld", "user_nets.py) has no function 'biuld'; did you mean 'build'"),
        ("user_nets:not_callable", "has no function 'not_callable'"),
    ],
)
def test_a_wrong_path_is_reported_in_a_single_line(path: str, message: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        models.get(f"import:{path}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("no_network", "must return a torch.nn.Module, not a str"),
        ("other_arguments", r"must take \(num_classes, channels, image_size\); too many"),
        (
            "raises",
            r"^model 'import:user_nets:raises': the function raises ValueError .*\(7, 3, 8\).*thing$",
        ),
        ("pair", r"^model 'import:user_nets:pair': forward\(\) returns a tuple with \[0\] \(2, 7\)"),
    ],
)
def test_a_function_that_does_not_build_is_reported_in_a_single_line(function: str, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        models.get(f"import:user_nets:{function}").build(7, 3, 8)


def test_a_network_whose_forward_was_edited_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its layers, and so what is printed of it, are the same."""
    from benchmarks import Scenario
    from benchmarks.training.model_ids import model_id
    from benchmarks.training.recipes import published_recipe

    def now():
        monkeypatch.delitem(sys.modules, "net_of_mine", raising=False)
        scenario = Scenario("digits", "import:net_of_mine:Net", "full_class", "8")
        return model_id("original", scenario, published_recipe("cnn2", "digits"))

    file = tmp_path / "net_of_mine.py"
    file.write_text(FORWARD.format("relu"))
    before = now()
    assert now() == before
    file.write_text(FORWARD.format("tanh"))
    importlib.invalidate_caches()
    assert now() != before


def test_a_network_is_tried_once_for_each_kind_of_images() -> None:
    build = models.get("import:user_nets:counted").build
    calls = sys.modules["user_nets"].calls
    build(7, 3, 8)
    first = len(calls)
    build(7, 3, 8)
    assert len(calls) == first + 1
    build(7, 3, 9)
    assert len(calls) == 2 * first + 1


def test_lazy_layers_come_with_weights() -> None:
    assert models.get("import:user_nets:lazy").build(7, 3, 8).state_dict()["1.weight"].shape == (7, 192)
