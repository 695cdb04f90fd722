"""Which published values are those of an experiment."""

import pytest

from benchmarks.presets import Experiment, Preset, published

SHARED = Preset("shared", {}, "ssd+jit", "cifar10+cifar100", "resnet18+vgg11")
SUB_CLASS = Preset("sub_class", {}, "ssd+jit", "cifar10+cifar100", "resnet18+vgg11", "sub_class")
OTHER_PAPER = Preset("other_paper", {}, "salun", "cifar10", "resnet18", "full_class")
FACES = Preset("faces", {}, "ssd", "pins", "resnet18", "full_class")
ANYTHING = Preset("anything", {}, "bad-teacher")
PRESETS = (FACES, OTHER_PAPER, SHARED, SUB_CLASS, ANYTHING)


def name(experiment: Experiment) -> str | None:
    preset = published(PRESETS, experiment)
    return preset and preset.name


@pytest.mark.parametrize(
    ("dataset", "model", "task", "paper", "expected"),
    [
        ("pins", "resnet18", "full_class", "ssd", "faces"),
        ("cifar100", "resnet18", "full_class", "ssd", "shared"),
        ("cifar100", "vgg11", "sub_class", "jit", "sub_class"),
        ("cifar10", "resnet18", "full_class", "ssd", "shared"),  # not the exact one of another paper
        ("cifar10", "resnet18", "full_class", "salun", "other_paper"),
        ("cifar10", "resnet18", "random", "salun", None),
        ("pins", "vgg11", "full_class", "jit", None),
        ("svhn", "allcnn", "full_class", "bad-teacher", "anything"),
        ("svhn", "allcnn", "full_class", "zero-shot", None),
    ],
)
def test_a_plan_of_a_paper_uses_only_values_of_that_paper(
    dataset: str, model: str, task: str, paper: str, expected: str | None
) -> None:
    assert name(Experiment(dataset, model, task, paper)) == expected


@pytest.mark.parametrize(
    ("dataset", "model", "task", "expected", "differs"),
    [
        ("pins", "resnet18", "full_class", "faces", ""),
        ("cifar10", "resnet18", "full_class", "other_paper", ""),
        ("cifar100", "resnet18", "full_class", "shared", ""),
        ("digits", "resnet18", "full_class", "faces", "data set"),  # the first of equals
        ("digits", "vgg11", "sub_class", "sub_class", "data set"),
        ("digits", "cnn2", "random", "anything", ""),
    ],
)
def test_a_users_plan_has_the_nearest(
    dataset: str, model: str, task: str, expected: str, differs: str
) -> None:
    experiment = Experiment(dataset, model, task)
    nearest = published(PRESETS, experiment)
    assert nearest is not None
    assert (nearest.name, nearest.differs(experiment)) == (expected, differs)


def test_values_for_another_network_and_data_set_are_better_than_none() -> None:
    experiment = Experiment("mnist", "lenet", "full_class")
    nearest = published([FACES, SUB_CLASS], experiment)
    assert nearest is FACES
    assert nearest.differs(experiment) == "data set, network"


def test_values_for_another_task_are_none() -> None:
    assert published([FACES, SUB_CLASS], Experiment("pins", "resnet18", "random")) is None


@pytest.mark.parametrize("paper", ["", "ssd"])
def test_a_method_without_presets_has_no_default_preset(paper: str) -> None:
    assert published([], Experiment("pins", "resnet18", "random", paper)) is None
