"""Weights from files: what is read, what is refused, and what does not fit."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmarks.checkpoint import fit, read_weights
from benchmarks.errors import DataError


def network(classes=3):
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, classes))


def refused(path, match):
    with pytest.raises(DataError, match=match) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_state_dict_makes_the_way_there_and_back(tmp_path, suffix):
    first, second, path = network(), network(), tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(first.state_dict(), path)
    fit(second, read_weights(path))
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name


class Runs:
    """Pickles as a call that would leave a folder behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_something_is_refused_and_does_not_run(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"weights": Runs(tmp_path / "ran")}, path)
    refused(path, r"other objects than tensors.*save the state_dict\(\) alone")
    assert not (tmp_path / "ran").exists()


def test_a_whole_network_is_refused(tmp_path):
    torch.save(network(), tmp_path / "model.pt")
    refused(tmp_path / "model.pt", "other objects than tensors")


def test_more_than_weights_names_the_part_to_save(tmp_path):
    torch.save({"epoch": 3, "state_dict": network().state_dict()}, tmp_path / "all.pt")
    refused(tmp_path / "all.pt", r"holds more than weights \(epoch, state_dict\); save \['state_dict'\]")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"a": torch.ones(2), "best": 0.9}, r"other values than tensors \(best\)"),
        ({}, "holds nothing"),
        ([torch.ones(2)], "holds a list"),
        (torch.ones(2), "holds a Tensor"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, content, match):
    torch.save(content, tmp_path / "some.pt")
    refused(tmp_path / "some.pt", match)


@pytest.mark.parametrize("name", ["broken.pt", "broken.safetensors"])
def test_a_broken_file_and_a_missing_one(tmp_path, name):
    refused(tmp_path / name, "cannot be read")
    (tmp_path / name).write_bytes(b"PK\x03\x04 nonsense")
    refused(tmp_path / name, r"cannot be read|other objects")


def test_what_does_not_fit_is_named_and_counted():
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
