"""Plans from a call: the same plan as from a file, and the same messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.errors import PlanError
from search.plans.files import parse
from search.plans.identity import run_id
from search.plans.plan import Plan

KEYS: dict[str, Any] = {
    "dataset": "digits",
    "model": "cnn2",
    "task": "full_class",
    "methods": "jit",
    "search": {"forget": 8, "trials": 20},
}


def test_arguments_make_the_plan_that_a_file_makes() -> None:
    text = """
name: tiny
dataset: digits
model: cnn2
task: full_class
methods: [jit, finetune]
training: {epochs: 2, max_lr: 1e-2, pretrained: false}
search: {forget: ["3", "8"], trials: 6, space: {jit: {lr: [1e-5, 0.1]}, finetune: {epochs: 1}}}
benchmark: {forget: ["3", "8"], seeds: 2, beside: [amnesiac]}
resources: {workers: 1}
"""
    space = {"jit": {"lr": (1e-5, np.float32(0.1))}, "finetune": {"epochs": np.int64(1)}}
    plan = Plan.of(
        **KEYS
        | {
            "name": "tiny",
            "methods": ("jit", "finetune"),
            "training": {"epochs": 2, "max_lr": 1e-2, "pretrained": False},
            "search": {"forget": [3, 8], "trials": 6, "space": space},
            "benchmark": {"forget": range(3, 9, 5), "seeds": 2, "beside": ["amnesiac"]},
            "resources": {"workers": 1},
        }
    )
    [written] = parse(text)
    assert plan == written
    assert run_id(plan, "search") == run_id(written, "search")


def test_a_name_is_made_of_what_is_run() -> None:
    assert Plan.of(**KEYS).name == "digits-cnn2-full_class"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "digitss"}, "dataset: unknown data set 'digitss'; did you mean 'digits'"),
        ({"methods": ["jit", "jitt"]}, "methods: unknown method 'jitt'; did you mean 'jit'"),
        (
            {"search": {"forget": 8, "trails": 3}},
            "search.trails: unknown key 'trails'; did you mean 'trials'",
        ),
        ({"search": {"forget": 12}}, "search.forget: 'digits' has no class '12'"),
        ({"serach": {}}, "serach: unknown key 'serach'; did you mean 'search'"),
        ({"search": {"forget": {8}}}, "search.forget: 'set' is not a type that a plan can hold"),
        ({"name": "a\x1bb"}, r"name: 'a\\x1bb' contains a control character"),
        ({"dataset": ["digits", "mnist"]}, "these keys make 2 plans"),
        ({"model": "import:nets:build"}, "model: 'import:nets:build' runs code of a module"),
    ],
)
def test_a_mistake_is_a_single_line_with_its_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        Plan.of(**KEYS | changes)
    assert "\n" not in str(caught.value)


def test_a_file_with_several_plans_says_how_to_choose(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("""
name: two
dataset: digits
model: cnn2
methods: [finetune]
parts:
  classes: {task: full_class, search: {forget: "8"}}
  images: {task: random, search: {forget: "40"}}
""")
    with pytest.raises(PlanError, match=r"has 2 plans: two-classes, two-images; name one as part \(--part\)"):
        Plan.load(path)
    assert Plan.load(path, part="images").task == "random"
    assert Plan.load(str(path), part="two-classes").task == "full_class"
    with pytest.raises(PlanError, match="has no part 'imagess'; did you mean 'two-images'"):
        Plan.load(path, part="imagess")


def test_a_plan_shows_itself_in_a_few_lines() -> None:
    lines = repr(Plan.load("demo")).splitlines()
    assert lines[0] == "plan demo: full_class of digits with cnn2"
    assert len(lines) < 6
    assert "<table>" in Plan.load("demo")._repr_html_()
