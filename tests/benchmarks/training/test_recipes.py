"""Recipes: the published ones, and what stands in for them."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from benchmarks.errors import UnknownName
from benchmarks.models import models
from benchmarks.training.recipes import Recipe, over, published_recipe


def test_jits_vgg() -> None:
    assert published_recipe("vgg11", "cifar100") == Recipe(
        epochs=210,
        batch_size=64,
        max_lr=0.02,
        momentum_range=(0.85, 0.95),
        weight_decay=5e-4,
        augmentation="crop_flip_rotate",
    )
    others = [published_recipe("vgg11", d) for d in ("cifar10", "cifar20", "pins", "pins_published")]
    assert [recipe.epochs for recipe in others] == [25, 50, 250, 250]
    assert {recipe.max_lr for recipe in others} == {0.1}


@pytest.mark.parametrize(
    ("dataset", "epochs", "milestones"),
    [
        ("cifar10", 20, (8, 12, 16)),
        ("cifar20", 40, (15, 30, 35)),
        ("cifar100", 200, (60, 120, 160)),
        ("pins", 200, (60, 120, 160)),
    ],
)
def test_ssds_resnet(dataset: str, epochs: int, milestones) -> None:
    recipe = published_recipe("resnet18", dataset)
    assert (recipe.epochs, recipe.milestones, recipe.gamma, recipe.warmup) == (epochs, milestones, 0.2, 1)
    assert (recipe.optimiser, recipe.max_lr, recipe.batch_size) == ("sgd", 0.1, 64)


@pytest.mark.parametrize(("dataset", "epochs"), [("cifar10", 8), ("cifar20", 9), ("cifar100", 8)])
def test_the_vit_is_fine_tuned_and_its_last_two_epochs_are_lower(dataset: str, epochs: int) -> None:
    recipe = published_recipe("vit_b16", dataset)
    assert (recipe.epochs, recipe.milestones, recipe.pretrained) == (epochs, (epochs - 1,), True)
    assert (recipe.gamma, recipe.warmup, recipe.optimiser) == (0.2, 1, "sgd")


@pytest.mark.parametrize("model", ["allcnn", "lenet", "resnet9"])
@pytest.mark.parametrize(("dataset", "epochs"), [("cifar10", 40), ("mnist", 10), ("svhn", 10)])
def test_zero_shots_networks(model: str, dataset: str, epochs: int) -> None:
    recipe = published_recipe(model, dataset)
    assert (recipe.epochs, recipe.batch_size, recipe.milestones) == (epochs, 256, ())
    assert (recipe.optimiser, recipe.max_lr, recipe.weight_decay, recipe.clip) == ("adam", 0.01, 1e-4, 0.1)


def test_celeba_is_balanced_and_saluns_vgg_falls_by_ten() -> None:
    assert (
        published_recipe("resnet18", "celeba").epochs,
        published_recipe("resnet18", "celeba").balanced,
    ) == (
        30,
        True,
    )
    salun = published_recipe("vgg16_bn", "cifar10")
    assert (salun.epochs, salun.batch_size, salun.milestones, salun.gamma) == (182, 256, (92, 137), 0.1)


@pytest.mark.parametrize(
    ("variant", "dataset", "model", "whole"),
    [
        ("vgg11_133m", "cifar20", "vgg11", "cifar20"),
        ("vgg11", "cifar100@1000", "vgg11", "cifar100"),
        ("vit_b16@64", "cifar10@500", "vit_b16", "cifar10"),
        ("resnet18@64", "cifar20", "resnet18", "cifar20"),
        ("vgg11_133m@64", "cifar10", "vgg11", "cifar10"),
    ],
)
def test_variants_have_the_recipe_of_what_they_are_variants_of(
    variant: str, dataset: str, model: str, whole: str
) -> None:
    assert published_recipe(variant, dataset) == published_recipe(model, whole)


def test_batch_norm_is_another_network() -> None:
    assert published_recipe("vgg11_bn", "cifar100") != published_recipe("vgg11", "cifar100")


def test_what_is_not_published_gets_the_usual() -> None:
    assert published_recipe("cnn2", "digits") == Recipe(20)
    assert published_recipe("cnn2", "mnist") == Recipe(5, augmentation="crop")
    assert published_recipe("resnet50", "cifar10") == Recipe(30, augmentation="crop_flip_rotate")
    assert published_recipe("vit_l16", "cifar10").pretrained
    assert published_recipe("lenet", "cifar100").optimiser == "adam"
    recipe = published_recipe("import:my.nets:build", "digits")
    assert recipe == published_recipe("timm:resnet18@64", "digits")
    assert (recipe.optimiser, recipe.max_lr, recipe.pretrained) == ("adam", 1e-3, False)


def test_only_networks_with_published_weights_start_from_them() -> None:
    for model in models:
        if published_recipe(model.name, "cifar10").pretrained:
            assert model.load_pretrained is not None, model.name


def test_milestones_lie_inside_the_training_and_recipes_are_plain() -> None:
    for model in models.names():
        for dataset in ("cifar10", "cifar20", "cifar100", "digits", "mnist"):
            recipe = published_recipe(model, dataset)
            assert all(1 < m <= recipe.epochs for m in recipe.milestones)
            assert list(recipe.milestones) == sorted(recipe.milestones)
            assert json.loads(json.dumps(asdict(recipe)))["epochs"] == recipe.epochs


def test_an_unknown_data_set_is_reported() -> None:
    with pytest.raises(UnknownName, match="cifar10"):
        published_recipe("vgg11", "cifar11")


@pytest.mark.parametrize(
    ("model", "epochs", "milestones"),
    [
        ("resnet18", 200, (60, 120, 160)),
        ("resnet18", 20, (6, 12, 16)),
        ("vit_b16", 4, (4,)),
        ("vit_b16", 1, (1,)),
    ],
)
def test_milestones_keep_their_share_of_a_shorter_training(model: str, epochs: int, milestones) -> None:
    recipe = over(published_recipe(model, "cifar100"), epochs)
    assert (recipe.epochs, recipe.milestones) == (epochs, milestones)
    assert recipe.gamma == 0.2


def test_a_cycle_over_fewer_epochs_is_a_whole_cycle() -> None:
    expected = Recipe(3, augmentation="crop_flip_rotate", momentum_range=(0.85, 0.95))
    assert over(published_recipe("vgg11", "cifar10"), 3) == expected
