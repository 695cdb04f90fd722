"""Every registered entry keeps the contract of its kind, and the checks report one that does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import Prepared, Scenario, prepare, run_trial
from benchmarks.datasets import datasets
from benchmarks.methods import Method, Preset, methods
from benchmarks.metrics import Metric, metrics
from benchmarks.models import models
from benchmarks.models.base import Model
from benchmarks.testing import check_dataset, check_method, check_metric, check_model
from benchmarks.testing.checks import import_problem
from benchmarks.training.recipes import Recipe

# Cheap values for methods that would train for long
QUICK: dict[str, dict[str, float]] = {
    "activation_pruning": {"prune_rounds": 1, "epochs": 1},
    "amnesiac": {"epochs": 1},
    "amnesiac_delta": {"repair_epochs": 1},
    "boundary_expand": {"epochs": 1},
    "boundary_shrink": {"epochs": 1},
    "emmn": {"noise_steps": 10, "noise_images": 8, "epochs": 1},
    "finetune": {"epochs": 1},
    "gkt": {"pseudo_batches": 3, "batch_size": 32},
    "gradient_surgery": {"epochs": 1, "repair_epochs": 1},
    "jit": {"n_samples": 5},
    "l1_sparse": {"epochs": 1},
    "neggrad_plus": {"epochs": 1},
    "random_labels": {"epochs": 1},
    "salun": {"epochs": 1},
    "scrub": {"forget_epochs": 1, "repair_epochs": 0},
    "scrub_rewind": {"forget_epochs": 1, "repair_epochs": 0},
    "soft_relabeling": {"epochs": 2, "repair_epochs": 1},
    "unsir": {"noise_steps": 10, "noise_copies": 2},
}
ON_DISK = {"mnist", "cifar10", "cifar20", "cifar100"}
FETCHED = {"celeba", "fashion_mnist", "imagenet", "pins", "pins_published", "svhn"}

GOOD = '''
"""A user-defined method."""
from dataclasses import dataclass
from benchmarks.access import Access
from benchmarks.hyperparameters import param
from benchmarks.methods import Method

@dataclass(frozen=True)
class Params:
    scale: float = param(0.9, 0.1, 1.0, doc="factor on the weights")

class Shrink(Method):
    """Multiplies all weights."""
    name, summary, source = "shrink", "smaller weights", "nobody"
    access = Access.MODEL
    tasks = ("full_class",)
    Params = Params

    def unlearn(self, model, data, params, rng):
        for p in model.parameters():
            p.data *= params.scale
        return model
'''

ALL_TASKS = ('    tasks = ("full_class",)\n', "")
SHARES = ("    Params = Params", "    Params, shares_work = Params, True")


@pytest.mark.parametrize("name", methods.names())
def test_methods(name: str) -> None:
    check_method(methods.get(name), QUICK.get(name))


def _normalised(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Batch norm, dropout, an activation in place, and one ReLU used twice."""
    relu = nn.ReLU()
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        relu,
        nn.Conv2d(8, 8, 3, padding=1),
        relu,
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32, num_classes),
    )


@pytest.fixture(scope="module")
def normalised() -> Iterator[Prepared]:
    """Two classes to forget at once, from a network with batch norm and dropout."""
    models.add(Model("normalised", "made by a test", "nobody", _normalised, min_size=4))
    yield prepare(
        Scenario("digits@400", "normalised", "full_class", "3+8"), recipe=Recipe(epochs=2), record=True
    )
    models.remove("normalised")


@pytest.mark.parametrize("name", [m.name for m in methods if "full_class" in m.tasks])
def test_methods_work_with_batch_norm_and_dropout_and_forget_two_classes_at_once(
    name: str, normalised: Prepared
) -> None:
    first, second = (run_trial(normalised, name, QUICK.get(name), seed=1) for _ in range(2))
    assert first.state == "complete", first.error
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key]), key
        assert torch.isfinite(value.float()).all(), key
    assert not any(module.training for module in first.model.modules())


@pytest.mark.parametrize("name", models.names())
def test_models(name: str) -> None:
    check_model(models.get(name))


@pytest.mark.parametrize("name", metrics.names())
def test_metrics(name: str) -> None:
    check_metric(metrics.get(name))


@pytest.mark.parametrize("name", datasets.names())
def test_datasets(name: str, request: pytest.FixtureRequest) -> None:
    if name in ON_DISK:
        request.getfixturevalue("real_data")
    if name in FETCHED:
        pytest.skip("its files are not part of the project; tests/benchmarks/datasets generates some")
    check_dataset(datasets.get(name))


MakeMethod = Callable[..., Method]


@pytest.fixture
def user_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeMethod]:
    """Imports a module with a changed version of the good method and returns an instance."""

    def load(*changes: tuple[str, str]) -> Method:
        text = GOOD
        for old, new in changes:
            assert text.count(old) == 1
            text = text.replace(old, new)
        (tmp_path / "user_method.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "user_method", raising=False)
        module = importlib.import_module("user_method")
        method: Method = module.Shrink()
        return method

    yield load
    sys.modules.pop("user_method", None)


def test_a_user_defined_method_passes(user_method: MakeMethod) -> None:
    check_method(user_method(ALL_TASKS))


def test_all_problems_of_a_method_are_reported_in_one_error(user_method: MakeMethod) -> None:
    method = user_method(
        ('"smaller weights"', '""'),
        ('doc="factor on the weights"', 'doc=""'),
        ("        return model", "        return model.train()"),
    )
    with pytest.raises(AssertionError) as raised:
        check_method(method)
    assert str(raised.value).split("\n  ") == [
        "method 'shrink' breaks its contract:",
        "summary: 'summary' must be one line of text",
        "hyper-parameters: scale: the doc is missing",
        "trials (full_class): the model must be returned in eval mode",
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"shrink"', '"Shrink it"', "lower case"),
        ('"smaller weights"', '""', "summary"),
        ('    """Multiplies all weights."""', "", "docstring"),
        ("frozen=True", "frozen=False", "frozen"),
        ("0.9, 0.1, 1.0", "1.5, 0.1, 1.0", "outside 0.1 to 1.0"),
        ("0.1, 1.0, doc", "1.0, 0.1, doc", "empty"),
        ('doc="factor on the weights"', 'doc=""', "doc is missing"),
        ("Access.MODEL", "Access.FORGET", "needs only 'class_id'"),
        ("p.data *= params.scale", "p.data *= data.retain.x.float().mean()", "AccessDenied"),
        ("p.data *= params.scale", "p.data *= float('nan')", "weights are not finite"),
        ("        return model", "        return model.train()", "eval mode"),
        ("        return model", "        return None", "NoneType"),
        (
            "        return model",
            "        import time\n        p.data += time.perf_counter()\n        return model",
            "seed",
        ),
    ],
)
def test_a_broken_method_is_reported(user_method: MakeMethod, old: str, new: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_method(user_method((old, new)))


@pytest.mark.parametrize(
    ("compute", "complaint"),
    [
        ("lambda g: p0 * params.scale", "'mean' depends on a searched value"),
        ("lambda g: torch.rand(p0.shape, generator=rng)", "'mean' depends on .* the trial's seed"),
        ("lambda g: torch.rand(p0.shape, generator=g)", ""),
        ("lambda g: p0 * params.scale, params.scale", ""),
        ("lambda g: p0 * 2).add_(1", "'mean' in place"),
        ("lambda g: p0 * 2).data.add_(1", "'mean' is changed in place"),
        ("lambda g: p0 * 2, p0", "depends on a Parameter"),
        ("lambda g: iter(p0)", "contains a tuple_iterator"),
        ("lambda g: [data.once('inner', lambda g: p0)]", "'inner' is requested while 'mean' is computed"),
    ],
)
def test_a_value_that_cannot_be_shared_is_reported(
    user_method: MakeMethod, compute: str, complaint: str
) -> None:
    changed = f"""
        import torch
        p0 = next(model.parameters())
        shared = data.once("mean", {compute})
        with torch.no_grad():
            p0.add_(shared[0] * 0.01)
        for p in model.parameters():"""
    method = user_method(("\n        for p in model.parameters():", changed), SHARES)
    if not complaint:
        check_method(method)
        return
    with pytest.raises(AssertionError, match=complaint):
        check_method(method)


@pytest.mark.parametrize(
    ("compute", "complaint"),
    [
        ("lambda images, g: images.labels.float().mean()", ""),
        ("lambda images, g: data.forget.labels.float().mean()", "'mean' depends on the forget set"),
    ],
)
def test_a_value_per_model_that_depends_on_the_forget_set_is_reported(
    user_method: MakeMethod, compute: str, complaint: str
) -> None:
    changed = f"""
        mean = data.once_per_model("mean", {compute})
        for p in model.parameters():
            p.data += 1e-3 * mean
        for p in model.parameters():"""
    method = user_method(
        ("\n        for p in model.parameters():", changed), ("Access.MODEL", "Access.RETAIN"), SHARES
    )
    if not complaint:
        check_method(method)
        return
    with pytest.raises(AssertionError, match=complaint):
        check_method(method)


def test_a_method_that_shares_work_without_declaring_it_is_reported(user_method: MakeMethod) -> None:
    changed = """
        data.once("mean", lambda g: 1.0)
        for p in model.parameters():"""
    with pytest.raises(AssertionError, match="shares_work = True"):
        check_method(user_method(("\n        for p in model.parameters():", changed)))


def test_a_shared_value_of_a_changed_model_is_reported(user_method: MakeMethod) -> None:
    changed = """
        with __import__("torch").no_grad():
            next(model.parameters()).mul_(2)
        data.once("mean", lambda g: 1.0)
        for p in model.parameters():"""
    with pytest.raises(AssertionError, match="'mean' is requested after the model has changed"):
        check_method(user_method(("\n        for p in model.parameters():", changed)))


def test_a_method_that_imports_torch_is_reported(user_method: MakeMethod) -> None:
    import_problem.cache_clear()
    with pytest.raises(AssertionError, match="import it inside functions"):
        check_method(user_method(('"""A user-defined method."""', "import torch")))
    import_problem.cache_clear()


def test_a_preset_with_an_unknown_value_is_reported(user_method: MakeMethod) -> None:
    method = user_method()
    type(method).presets = (Preset("paper", {"scal": 1.0}, "jit", source="x"),)
    with pytest.raises(AssertionError, match="did you mean 'scale'"):
        check_method(method)


def test_a_broken_metric_is_reported() -> None:
    def metric(compute: Callable[..., Any], **more: Any) -> Metric:
        return Metric("mine", "a number", "nobody", "%", compute, **more)

    with pytest.raises(AssertionError, match="order"):
        check_metric(metric(lambda e, _: float(e.retain_train.entropy[0])))
    with pytest.raises(AssertionError, match="float"):
        check_metric(metric(lambda e, _: 3))
    with pytest.raises(AssertionError, match="0 for the retrained"):
        check_metric(metric(lambda e, _: 1.0, ideal="zero"))


def test_a_broken_model_is_reported() -> None:
    from torch import nn

    cnn = models.get("cnn2")
    flat = replace(
        cnn, build=lambda n, c, s: nn.Sequential(nn.Flatten(), nn.Linear(c * s * s, n + 1)), name="flat"
    )
    with pytest.raises(AssertionError, match=r"must return \(3, 10\)"):
        check_model(flat)


def test_a_broken_data_set_is_reported() -> None:
    digits = datasets.get("digits")
    with pytest.raises(AssertionError, match="exactly one superclass"):
        check_dataset(replace(digits, superclasses={"loops": ("0", "6")}))
    with pytest.raises(AssertionError, match="every class"):
        check_dataset(replace(digits, classes=(*digits.classes, "10"), superclasses={}))
    with pytest.raises(AssertionError, match="one value per channel"):
        check_dataset(replace(digits, mean=(0.1, 0.2)))
