"""The registry: names, near names, collisions, plug-ins, and that none of it needs torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import registry as module
from benchmarks.errors import BenchmarkError, UnknownName
from benchmarks.methods import methods
from benchmarks.registry import Family, Registry


@dataclass(frozen=True)
class Thing:
    name: str
    summary: str = ""


FAMILY = Family("made", "<text>", "made when asked for", lambda rest: Thing(f"made:{rest}"))


@dataclass
class Point:
    """A stand-in for an entry point of another distribution."""

    value: str
    action: object

    def load(self):
        return self.action()


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "nothing_here").mkdir()
    (tmp_path / "nothing_here" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return Registry("thing", "nothing_here")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown method 'retrian'; did you mean 'retrain'"):
        methods.get("retrian")


def test_names_are_sorted_and_iteration_follows(empty) -> None:
    for name in "cab":
        empty.add(Thing(name))
    assert empty.names() == ["a", "b", "c"]
    assert [t.name for t in empty] == ["a", "b", "c"]
    empty.remove("b")
    assert empty.names() == ["a", "c"]


def test_two_entries_of_a_name_collide_unless_they_are_the_same_entry(empty) -> None:
    first = empty.add(Thing("a"))
    assert empty.add(first) is first
    with pytest.raises(BenchmarkError, match="two things are named 'a'"):
        empty.add(Thing("a", "another"))
    assert empty.get("a") is first


def test_other_distributions_add_entries(empty, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def points(group):
        asked.append(group)
        return [Point("theirs:thing", lambda: empty.add(Thing("theirs")))]

    monkeypatch.setattr(module, "entry_points", points)
    assert empty.names() == ["theirs"]
    assert empty.get("theirs").name == "theirs"
    assert asked == ["unlearnbench.things"]


def test_a_broken_plug_in_is_named_and_not_forgotten(empty, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails():
        raise ImportError("no module named theirs")

    monkeypatch.setattr(module, "entry_points", lambda group: [Point("theirs:thing", fails)])
    for _ in range(2):  # the second look must not find a half-filled registry in order
        with pytest.raises(
            BenchmarkError, match="plug-in 'theirs:thing' for things does not load: no module"
        ):
            empty.names()


def test_a_package_that_does_not_import_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    things = Registry("thing", "not_there_yet")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError):
            things.names()


def test_importing_and_listing_everything_leaves_torch_alone() -> None:
    code = """
import sys
import benchmarks
assert benchmarks.Scenario and "torch" not in sys.modules
from benchmarks.datasets import datasets
from benchmarks.hyperparameters import declared
from benchmarks.methods import methods
from benchmarks.metrics import metrics
from benchmarks.models import models
for entries in (datasets, methods, metrics, models):
    assert all(e.name and e.summary and e.source for e in entries)
assert all(p.doc for m in methods for p in declared(m.Params))
benchmarks.Scenario("cifar100", "vgg11", "full_class", "rocket")
try:
    benchmarks.nothing
except AttributeError:
    pass
else:
    raise AssertionError
sys.exit(any(name in sys.modules for name in ("torch", "torchvision", "sklearn", "ray", "optuna")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_family_makes_entries_from_the_rest_of_their_name(empty) -> None:
    empty.add_family(FAMILY)
    assert empty.get("made:a:b").name == "made:a:b"
    assert "made:a:b" not in empty.names()
    with pytest.raises(UnknownName, match="made:<text>"):
        empty.get("mode:x")


def test_a_variant_is_made_from_its_entry_or_a_member_of_a_family(empty) -> None:
    empty._variant = lambda entry, size: Thing(f"{entry.name}@{size}")
    empty.add(Thing("a"))
    empty.add_family(FAMILY)
    assert empty.get("a@3").name == "a@3"
    assert empty.get("made:x@3").name == "made:x@3"
    with pytest.raises(UnknownName, match="'b'"):
        empty.get("b@3")
