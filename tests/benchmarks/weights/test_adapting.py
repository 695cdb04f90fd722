"""Weights that other code named and stored, in the networks that they fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from benchmarks.errors import DataError
from benchmarks.models import models
from benchmarks.weights.adapting import adapted, fit, not_finite
from benchmarks.weights.checkpoint import Preprocessing

COUNTED = "1.num_batches_tracked"


def network(classes=3):
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, classes))


@pytest.fixture
def take(tmp_path: Path):
    """Saves some content and fits it into a network."""

    def take(content, into, entry=None, layouts=()):
        torch.save(content, tmp_path / "mine.pt")
        return adapted(into, tmp_path / "mine.pt", entry, layouts)

    return take


@pytest.fixture
def trained():
    model = network()
    for value in model.state_dict().values():
        value.copy_(torch.randn(value.shape) if value.is_floating_point() else value + 7)
    return model.state_dict()


def prefixed(prefix, weights):
    return {prefix + name: value for name, value in weights.items()}


def same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize(
    ("prefix", "note"),
    [
        ("module.", "took 'module.' off every name"),
        ("model.", "took 'model.' off every name"),
        ("_orig_mod.", "took '_orig_mod.' out of its names"),
        ("module._orig_mod.net.", "took '_orig_mod.' out of its names; took 'module.net.' off every name"),
    ],
)
def test_what_wrappers_put_before_the_names_is_taken_off(take, trained, prefix: str, note: str) -> None:
    into = network()
    result = take(prefixed(prefix, trained), into)
    same(result.weights, trained)
    same(into.state_dict(), trained)
    assert "; ".join(result.notes) == note


def test_weights_as_the_network_has_them_need_no_word(take, trained) -> None:
    assert take(trained, network()).notes == ()


def test_a_prefix_that_the_network_has_is_added(take, trained) -> None:
    into = nn.Sequential()
    into.add_module("body", network())
    assert take(trained, into).notes == ("put 'body.' before every name",)
    assert take(prefixed("module.", trained), into).notes == ("read 'module.' before every name as 'body.'",)
    assert take(prefixed("module.body.", trained), into).notes == ("took 'module.' off every name",)


def test_a_compiled_part_of_a_network_is_known_too(take, trained) -> None:
    names = {name: f"{name[0]}._orig_mod{name[1:]}" if name[0] == "1" else name for name in trained}
    same(take({names[name]: value for name, value in trained.items()}, network()).weights, trained)


def test_a_prefix_that_only_some_names_have_stays(take, trained) -> None:
    content = {**prefixed("module.", trained), "criterion.weight": torch.ones(3)}
    with pytest.raises(DataError, match=r"9 missing: 0.weight.*; 10 unknown to the network: module.0.weight"):
        take(content, network())


def test_an_averaged_model_is_taken_without_its_counter(take, trained) -> None:
    result = take({**prefixed("module.", trained), "n_averaged": torch.tensor(5)}, network())
    same(result.weights, trained)
    assert result.notes == ("left out 'n_averaged'", "took 'module.' off every name")


@pytest.mark.parametrize("entry", ["state_dict", "model", "net", "model_state_dict", "anything"])
def test_the_weights_in_a_wrapper_are_picked(take, trained, entry: str) -> None:
    result = take({"epoch": 3, "best_acc": 91.5, entry: prefixed("module.", trained)}, network())
    same(result.weights, trained)
    assert result.notes == (f"took the weights under '{entry}'", "took 'module.' off every name")


def test_of_two_sets_both_are_named_and_the_entry_chooses(take, trained) -> None:
    content = {"model": network().state_dict(), "ema": trained, "teacher": network(5).state_dict()}
    with pytest.raises(DataError) as caught:
        take(content, network())
    assert "several sets of weights that fit: 'model' (9 tensors) and 'ema' (9 tensors);" in str(caught.value)
    assert "mine.pt, entry: model}'" in str(caught.value)
    result = take(content, network(), entry="ema")
    same(result.weights, trained)
    assert result.notes == ()
    with pytest.raises(DataError, match=r"no weights under 'emma'; it contains 'model' .* and 'teacher'"):
        take(content, network(), entry="emma")


def test_the_only_set_that_fits_is_picked(take, trained) -> None:
    result = take({"teacher": network(5).state_dict(), "student": trained}, network())
    assert result.notes == ("took the weights under 'student'",)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_floats_are_read_as_float32(take, trained, dtype) -> None:
    content = {n: v.to(dtype) if v.is_floating_point() else v for n, v in trained.items()}
    result = take(content, network())
    for name, value in content.items():
        assert result.weights[name].dtype == trained[name].dtype
        assert torch.equal(result.weights[name], value.to(trained[name].dtype))
    assert result.notes == (f"read {str(dtype).removeprefix('torch.')} as float32",)


def test_whole_numbers_are_not_weights(take, trained) -> None:
    content = {n: (100 * v).to(torch.int8) if n == "3.weight" else v for n, v in trained.items()}
    with pytest.raises(DataError, match=r"1 of another type: 3.weight torch.int8 for torch.float32"):
        take(content, network())


def test_batch_norm_without_counters_is_taken(take, trained) -> None:
    old = {name: value for name, value in trained.items() if "num_batches" not in name}
    result = take(old, network())
    assert all(torch.equal(result.weights[name], value) for name, value in old.items())


def test_a_tied_layer_may_be_stored_once(take) -> None:
    layer = nn.Linear(2, 2)
    into = nn.Sequential(layer, nn.ReLU(), layer)
    stored = {"0.weight": torch.ones(2, 2), "0.bias": torch.zeros(2)}
    assert torch.equal(take(stored, into).weights["2.weight"], torch.ones(2, 2))
    assert into[2].weight is into[0].weight


def test_a_normalising_layer_becomes_the_preprocessing(take, trained) -> None:
    layer = {"normalize.mean": torch.tensor([0.4914]), "normalize.std": torch.tensor([0.247])}
    result = take(prefixed("module.", {**layer, **trained}), network())
    same(result.weights, trained)
    assert result.preprocessing is not None
    assert result.preprocessing.mean == pytest.approx((0.4914,))
    assert (
        result.notes[0]
        == "took its layer 'module.normalize' for the preprocessing: mean [0.4914], std [0.247]"
    )
    wide = {"0.mean": torch.full((1, 3, 1, 1), 127.5), "0.std": torch.full((1, 3, 1, 1), 255.0)}
    assert take({**wide, **prefixed("1.", trained)}, network()).preprocessing == Preprocessing((0.5,), (1.0,))


def usual_resnet(name):
    model = getattr(torchvision.models, name)(num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return model


def usual_vgg(name):
    model = getattr(torchvision.models, name)(num_classes=10)
    model.avgpool = nn.AdaptiveAvgPool2d(1)
    hidden = [nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout()]
    model.classifier = nn.Sequential(*hidden, nn.Linear(512, 10))
    return model


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vgg11", "vgg16_bn"])
@torch.no_grad()
def test_the_usual_names_are_those_of_the_same_network(take, name: str) -> None:
    with torch.device("meta"):  # torchvision draws 120 million weights for the layers that are replaced here
        theirs = (usual_vgg if name.startswith("vgg") else usual_resnet)(name)
    theirs.to_empty(device="cpu")
    for key, value in theirs.state_dict().items():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5) if "running_var" in key else value.normal_(0, 0.05)
    model = models.get(name)
    ours = model.build(10, 3, 32)
    wrapped = {"state_dict": prefixed("module.", theirs.state_dict()), "epoch": 1}
    result = take(wrapped, ours, layouts=model.layouts(ours))
    assert "matched its layers ('" in result.notes[-1]
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_another_architecture_under_the_usual_names_is_refused(take) -> None:
    model = models.get("resnet18")
    ours = model.build(10, 3, 32)
    with pytest.raises(DataError) as caught:
        take(torchvision.models.resnet18(num_classes=10).state_dict(), ours, layouts=model.layouts(ours))
    assert "1 of another shape: 0.weight (64, 3, 7, 7) for (64, 3, 3, 3)" in str(caught.value)
    assert "use 'timm:NAME' or 'import:MODULE:FUNCTION'" in str(caught.value)


def test_a_tensor_that_claims_to_be_huge_is_refused_by_its_shape(take, trained) -> None:
    huge = torch.zeros(1).expand(10**12)
    with pytest.raises(DataError, match=r"3.bias \(1000000000000,\) for \(3,\)"):
        take({**trained, "3.bias": huge}, network())


def test_what_is_not_finite_is_named() -> None:
    weights = {"a": torch.tensor([1.0, float("nan")]), "b": torch.ones(2), "c": torch.tensor([float("inf")])}
    assert not_finite(weights) == ["a", "c"]


def test_what_does_not_fit_is_named_and_counted() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    weights = {f"more.{i}": torch.ones(1) for i in range(5)}
    weights |= {
        name: value + 1 for name, value in network(classes=4).state_dict().items() if name != "0.bias"
    }
    with pytest.raises(DataError) as caught:
        fit(model, weights)
    text = str(caught.value)
    assert "2 of another shape: 3.weight (4, 2) for (3, 2), 3.bias (4,) for (3,)" in text
    assert "1 missing: 0.bias;" in text
    assert text.endswith("5 unknown to the network: more.0, more.1, more.2, ...")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"n_averaged": torch.tensor(5)},
        {"module.norm.mean": torch.full((1,), 0.5), "module.norm.std": torch.full((1,), 0.25)},
    ],
)
def test_other_weights_get_the_names_of_the_file_and_its_other_tensors(take, trained, others) -> None:
    theirs = {**others, **prefixed("module._orig_mod.", trained)}
    other = {name: value + 1 for name, value in trained.items()}
    same(
        take(theirs, network()).as_in_file(other),
        {**others, **prefixed("module._orig_mod.", other)},
    )


def test_what_the_file_lacks_stays_away_from_it(take) -> None:
    body = nn.Linear(4, 4, bias=False)
    tied = nn.Sequential(body, nn.BatchNorm1d(4), body)
    stored = {name: value for name, value in tied.state_dict().items() if name not in ("2.weight", COUNTED)}
    fitted = take(prefixed("net.", stored), tied)
    assert fitted.as_in_file(tied.state_dict()).keys() == {f"net.{name}" for name in stored}


@torch.no_grad()
def test_a_network_of_other_names_loads_what_it_is_given_back(take) -> None:
    theirs, again = usual_resnet("resnet18").eval(), usual_resnet("resnet18").eval()
    model = models.get("resnet18")
    ours = model.build(10, 3, 32).eval()
    fitted = take({"net": prefixed("module.", theirs.state_dict())}, ours, layouts=model.layouts(ours))
    for value in ours.parameters():
        value.add_(0.01)
    back = fitted.as_in_file(ours.state_dict())
    again.load_state_dict({name.removeprefix("module."): value for name, value in back.items()}, strict=True)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(again(x), ours(x))
    assert not torch.allclose(again(x), theirs(x))
