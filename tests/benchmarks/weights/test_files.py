"""Files with weights: what is read, and what is refused."""

from __future__ import annotations

import argparse
import os
import pathlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmarks.errors import DataError
from benchmarks.weights.files import read_sets, read_weights, safetensors_of, state_dict_of


def network(classes=3):
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, classes))


def refused(path, match):
    with pytest.raises(DataError, match=match) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_state_dict_is_written_and_read_again(tmp_path: Path, suffix: str) -> None:
    first, second, path = network(), network(), tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(first.state_dict(), path)
    second.load_state_dict(read_weights(path))
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name


class Runs:
    """Pickles as a call that would leave a folder behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_something_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weights": Runs(tmp_path / "ran")}, path)
    refused(path, r"objects other than tensors.*save only the state_dict")
    assert not (tmp_path / "ran").exists()


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "model.pt")
    refused(tmp_path / "model.pt", "objects other than tensors")


def test_safetensors_are_known_by_their_content(tmp_path: Path) -> None:
    save_file(network().state_dict(), tmp_path / "mine.pth")
    assert read_weights(tmp_path / "mine.pth").keys() == network().state_dict().keys()


def test_weights_are_read_from_a_training_checkpoint(tmp_path: Path) -> None:
    first, averaged = network().state_dict(), network().state_dict()
    model = network()
    content = {
        "epoch": 3,
        "model": {"state_dict": first},
        "ema": averaged,
        "optimizer": torch.optim.Adam(model.parameters()).state_dict(),
        "result": {"accuracy": torch.tensor(0.9), "loss": [0.1, 0.2]},
        "best": np.float64(91.2),
        "history": np.zeros(3),
        "args": argparse.Namespace(lr=0.1, out=pathlib.Path("x")),
    }
    torch.save(content, tmp_path / "all.pt")
    sets = read_sets(tmp_path / "all.pt")
    assert list(sets) == ["model.state_dict", "ema"]
    assert all(torch.equal(sets["ema"][name], value) for name, value in averaged.items())


def test_numbers_among_the_weights_are_left_out(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2), "best": np.float32(0.9), "epoch": 2}, tmp_path / "flat.pt")
    assert list(read_weights(tmp_path / "flat.pt")) == ["a"]


def test_several_sets_of_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"model": network().state_dict(), "ema": network().state_dict()}, tmp_path / "two.pt")
    refused(tmp_path / "two.pt", r"contains several sets of weights \(model, ema\)")


def test_an_object_of_numpy_is_read_without_numpy(tmp_path: Path) -> None:
    """A scalar of 10 GB that a few bytes ask for, and a call that numpy would answer."""
    torch.save({"a": torch.ones(2), "bomb": Calls(np.dtype, "V10000000000")}, tmp_path / "bomb.pt")
    assert list(read_weights(tmp_path / "bomb.pt")) == ["a"]


class Calls:
    """Pickles as any call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_an_archive_that_unpacks_to_more_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "packed.pt"
    torch.save({"a": torch.zeros(2_000_000)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(path, "w") as packed:
        for part in plain.infolist():
            packed.writestr(part.filename, plain.read(part), zipfile.ZIP_DEFLATED)
    refused(path, r"is an archive of 0.0 MB that unpacks to 8.0 MB, and torch.save does not compress")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"best": 0.9}, r"contains no named tensors \(best\)"),
        ({"a": torch.tensor([1, 2])}, "contains no named tensors"),
        ({"a": torch.ones(2, 2).to_sparse()}, "contains no named tensors"),
        ({"a": torch.ones(2, device="meta")}, "contains no named tensors"),
        ({}, "contains nothing"),
        ([torch.ones(2)], "contains a list"),
        (torch.ones(2), "contains a Tensor"),
    ],
)
def test_what_holds_no_weights_is_refused(tmp_path: Path, content, match: str) -> None:
    torch.save(content, tmp_path / "some.pt")
    refused(tmp_path / "some.pt", match)


@pytest.mark.parametrize("name", ["broken.pt", "broken.safetensors"])
def test_a_broken_file_and_a_missing_file(tmp_path: Path, name: str) -> None:
    refused(tmp_path / name, "cannot be read")
    (tmp_path / name).write_bytes(b"PK\x03\x04 nonsense")
    refused(tmp_path / name, r"cannot be read|objects other")


@pytest.mark.parametrize("write", [safetensors_of, state_dict_of])
def test_what_is_written_is_read_again_and_no_larger_than_it_is(tmp_path: Path, write) -> None:
    part = torch.arange(1e6).view(1000, 1000)[:2, ::2]
    weights = {"a": part, "tied": part, "b": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)}
    (tmp_path / "mine").write_bytes(write(weights))
    assert (tmp_path / "mine").stat().st_size < 20_000
    again = read_weights(tmp_path / "mine")
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], value) for name, value in weights.items())
