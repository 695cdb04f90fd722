"""Scaled plans: less of everything, nothing left out, and every shipped plan can be scaled."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.datasets import datasets
from benchmarks.methods import methods
from benchmarks.models import models
from search.errors import PlanError
from search.plans.files import load, parse
from search.plans.scaling import reduced
from search.plans.sources import PLANS

PLAN = """
name: whole
dataset: cifar100
model: vgg11
task: full_class
methods: [jit, gkt, emmn]
search: {forget: rocket, space: {emmn: {noise_steps: [100, 400], noise_images: 50}}}
benchmark: {forget: [baby, lamp, mushroom, rocket, sea], seeds: 10}
"""


def test_a_scaled_plan_has_less_of_everything_and_says_so() -> None:
    whole, small = parse(PLAN)[0], parse(PLAN, scale=0.02)[0]
    assert small.dataset == "cifar100@1000"
    assert small.scale == 0.02
    assert whole.scale == 1
    assert small.recipe().epochs == math.ceil(0.02 * 210)
    assert small.search.trials == 5
    assert small.eval_limit == 200
    assert parse(PLAN + "eval_limit: 150", scale=0.02)[0].eval_limit == 150, "less was asked for"
    assert small.benchmark is not None
    assert small.benchmark.seeds == 2
    assert small.benchmark.forget == ("baby", "rocket"), "the class that was searched is among them"


def test_amounts_of_work_are_scaled_and_nothing_else_is() -> None:
    small = parse(PLAN, scale=0.02)[0]
    assert small.search.space == {
        "gkt": {"pseudo_batches": 80, "batch_size": 6},
        "emmn": {"noise_steps": [2, 8], "noise_images": 1, "epochs": 1},
    }, "one epoch of JiT is what it has anyway"
    published = {"pseudo_batches": 1000, "lr": 1e-3}
    work = {"pseudo_batches": 20, "batch_size": 6}
    assert reduced(methods.get("gkt"), published, 0.02) == {**published, **work}, "a default is reduced too"
    assert reduced(methods.get("gkt"), published, 1) == published
    emmn = methods.get("emmn")
    steps = reduced(emmn, emmn.preset("jit").values, 0.1)
    assert (steps["noise_steps"], steps["forget_noise_steps"]) == (3, 3)
    assert "forget_noise_steps" not in reduced(emmn, {}, 0.1), "as many as of the others, which are fewer"


def test_counts_of_forgotten_images_shrink_with_the_images() -> None:
    text = (
        PLAN.replace("full_class", "random")
        .replace("[jit, gkt, emmn]", "[jit]")
        .replace("rocket, space", "'5000', s")
    )
    text = text.replace(
        "{forget: '5000', s: {emmn: {noise_steps: [100, 400], noise_images: 50}}}", "{forget: '5000'}"
    )
    small = parse(text.replace("[baby, lamp, mushroom, rocket, sea]", "['5000', 10%]"), scale=0.04)[0]
    assert small.dataset == "cifar100@2000"
    assert small.search.forget == ("200",)
    assert small.benchmark is not None
    assert small.benchmark.forget == ("200", "160"), "a share is one of the images that are left"


def test_a_share_of_the_people_is_a_share_of_those_that_are_left() -> None:
    assert load("akbari-table3")[0].search.forget == ("164 of female+male",)
    small = load("akbari-table3", 0.001)[0]
    assert small.dataset == "celeba@163"
    assert small.search.forget == ("10 of female+male",), "164 of 8,192 people would be more than there are"


@pytest.mark.parametrize(
    ("model", "small"),
    [
        ("vit_b16", "vit_b16@16"),
        ("resnet18", "resnet18@16"),
        ("resnet18@64", "resnet18@16"),
        ("vgg11", "vgg11"),
        ("vgg11_133m", "vgg11"),
    ],
)
def test_networks_see_small_images_and_start_from_scratch(model: str, small: str) -> None:
    plan = parse(PLAN.replace("vgg11", model), scale=0.01)[0]
    assert plan.model == small
    assert not plan.recipe().pretrained


@pytest.mark.parametrize("scale", [0, 1.5, -1])
def test_a_share_is_between_none_and_all(scale: float) -> None:
    with pytest.raises(PlanError, match="'scale' is"):
        parse(PLAN, scale=scale)


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_plan_can_be_run_small(path: Path) -> None:
    for plan, whole in zip(load(path.stem, 0.01), load(path.stem), strict=True):
        assert plan.recipe().epochs <= whole.recipe().epochs
        assert datasets.get(plan.dataset).train_size <= datasets.get(whole.dataset).train_size
        assert models.get(plan.model).input_size(32) <= 32
        for name in plan.methods:
            plan.space(methods.get(name))
        assert plan.scenarios()
