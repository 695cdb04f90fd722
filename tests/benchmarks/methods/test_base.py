"""What every method shares: presets, tasks, registration."""

import pytest

from benchmarks.errors import InvalidScenario, UnknownName
from benchmarks.hyperparameters import build
from benchmarks.methods import Preset, methods
from tests.benchmarks.helpers import own_method


@pytest.fixture
def method():
    made = own_method(None)
    type(made).tasks = ("full_class", "sub_class")
    type(made).presets = (
        Preset("anything", {}),
        Preset("vgg", {}, model="vgg11"),
        Preset("vgg_sub", {}, model="vgg11", task="sub_class"),
        Preset("sub", {}, task="sub_class"),
    )
    return made


@pytest.mark.parametrize(
    ("model", "task", "name"),
    [
        ("vgg11", "sub_class", "vgg_sub"),
        ("vgg11_133m", "sub_class", "vgg_sub"),
        ("vgg11", "full_class", "vgg"),
        ("cnn2", "sub_class", "sub"),
        ("cnn2", "full_class", "anything"),
    ],
)
def test_the_nearest_published_values_are_found(method, model, task, name):
    assert method.published(model, task).name == name


def test_without_published_values_there_is_none(method):
    type(method).presets = (Preset("vgg", {}, model="vgg11"),)
    assert method.published("cnn2", "full_class") is None


@pytest.mark.parametrize(
    ("name", "model", "task", "values"),
    [
        ("jit", "vgg11", "full_class", {"lr": 3e-4, "sigma": 0.5, "batch_size": 128, "n_samples": 25}),
        ("jit", "vgg11_133m", "sub_class", {"lr": 3e-4, "sigma": 0.01, "batch_size": 64}),
        ("jit", "vgg11", "random", {"lr": 3e-4, "sigma": 0.01, "batch_size": 128}),
        ("jit", "vit_b16", "full_class", {"lr": 1.5, "sigma": 0.8, "n_samples": 25}),
        ("jit", "vit_b16", "sub_class", {"lr": 0.5, "sigma": 1.5, "batch_size": 64}),
        ("jit", "cnn2", "full_class", {"lr": 2e-5, "sigma": 0.8, "n_samples": 100, "batch_size": 64}),
        ("finetune", "vgg11", "full_class", {"lr": 0.02, "epochs": 5, "batch_size": 128, "momentum": 0.9}),
        ("finetune", "vgg11", "sub_class", {"lr": 0.02, "epochs": 5, "batch_size": 64}),
        ("finetune", "resnet18", "random", {"lr": 0.01, "epochs": 10, "batch_size": 256}),
        ("amnesiac", "vgg11", "random", {"lr": 1e-4, "epochs": 3, "batch_size": 128}),
        ("amnesiac", "vgg11", "sub_class", {"lr": 1e-4, "epochs": 3, "batch_size": 64}),
    ],
)
def test_published_values(name, model, task, values):
    method = methods.get(name)
    built = build(method.Params, method.published(model, task).values)
    assert {k: getattr(built, k) for k in values} == values


def test_a_preset_by_name():
    jit = methods.get("jit")
    coded = build(jit.Params, jit.preset("vgg11_full_class_as_coded").values)
    assert (coded.mode, coded.accumulate, coded.sigma) == ("train", True, 0.5)
    with pytest.raises(UnknownName, match="unknown preset of jit 'cnn'; did you mean 'cnn2'"):
        jit.preset("cnn")


def test_a_task_it_is_not_defined_for_is_told(method):
    method.check_task("sub_class")
    with pytest.raises(
        InvalidScenario, match="'own' is not defined for task 'random', only for full_class and"
    ):
        method.check_task("random")
