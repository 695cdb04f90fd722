"""MNIST and the CIFARs, read from the real files."""

from __future__ import annotations

import pickle
import shutil
import urllib.request
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from benchmarks.datasets import datasets, load, loading
from benchmarks.errors import DataError

# superclass -> class indices, from the literature rather than from the code under test
COARSE = {4: (0, 51, 53, 57, 83), 10: (23, 33, 49, 60, 71), 14: (2, 11, 35, 46, 98), 19: (41, 69, 81, 85, 89)}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No network, and an empty data folder."""

    def refuse(*_args, **_kwargs):
        raise URLError("no network in this test")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    return tmp_path


def test_mnist_equals_torchvisions(real_data) -> None:
    from torchvision.datasets import MNIST

    data = load("mnist")
    for part, train in ((data.train, True), (data.test, False)):
        raw = MNIST(str(real_data), train=train)
        for i in (0, 1, len(raw) - 1):
            image, label = raw[i]
            assert np.array_equal(part.x[i, ..., 0], np.asarray(image))
            assert part.y[i] == label
    assert abs(data.train.x.mean() / 255 - data.source.mean[0]) < 1e-3
    assert abs(data.train.x.std() / 255 - data.source.std[0]) < 1e-3


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_equals_torchvisions(real_data, name: str) -> None:
    from torchvision.datasets import CIFAR10, CIFAR100

    kind = {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
    data = load(name)
    for part, train in ((data.train, True), (data.test, False)):
        raw = kind(str(real_data), train=train)
        assert data.source.classes == tuple(raw.classes)
        for i in (0, 1, len(raw) - 1):
            image, label = raw[i]
            assert np.array_equal(part.x[i], np.asarray(image))
            assert part.y[i] == label
    pixels = data.train.x[::50].astype(float) / 255
    assert np.abs(pixels.mean(axis=(0, 1, 2)) - data.source.mean).max() < 0.01
    assert np.abs(pixels.std(axis=(0, 1, 2)) - data.source.std).max() < 0.01


def test_superclasses_are_those_of_the_files(real_data) -> None:
    with (real_data / "cifar-100-python" / "meta").open("rb") as file:
        meta = pickle.load(file)
    with (real_data / "cifar-100-python" / "test").open("rb") as file:
        test = pickle.load(file, encoding="latin1")
    source = datasets.get("cifar20")
    assert list(source.classes) == meta["fine_label_names"]
    assert list(source.superclasses) == meta["coarse_label_names"]
    data = load("cifar20")
    assert np.array_equal(source.labels(data.test.y, "superclass"), test["coarse_labels"])
    for coarse, fine in COARSE.items():
        assert np.flatnonzero(source.superclass_of == coarse).tolist() == list(fine)


def test_a_flipped_byte_is_detected_and_the_file_named(restored: Path, offline) -> None:
    shutil.copytree(restored / "MNIST", offline / "MNIST")
    file = offline / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    raw = bytearray(file.read_bytes())
    raw[5000] ^= 1
    file.write_bytes(raw)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte is corrupt .*delete it"):
        load("mnist")


def test_a_corrupt_list_of_class_names_is_named_too(restored: Path, offline) -> None:
    (offline / "cifar-100-python").mkdir()
    (offline / "cifar-100-python" / "meta").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cifar-100-python/meta is corrupt"):
        load("cifar100")


def test_compressed_files_from_a_manual_download_are_enough(restored: Path, offline) -> None:
    raw = offline / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (restored / "MNIST" / "raw").glob("*.gz"):
        shutil.copy(file, raw)
    try:
        assert len(load("mnist").train) == 60_000
    finally:
        loading.load_source.cache_clear()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("mnist", "put the four .*-ubyte.gz files of MNIST into {}/MNIST/raw"),
        ("cifar10", "unpack cifar-10-python.tar.gz .* into {}"),
        ("cifar20", "unpack cifar-100-python.tar.gz .* into {}"),
        ("cifar100", "unpack cifar-100-python.tar.gz .* into {}"),
    ],
)
def test_without_files_and_network_the_error_says_what_to_put_where(offline, name: str, what: str) -> None:
    with pytest.raises(DataError, match=what.format(offline) + ", or set UNLEARN_DATA") as raised:
        load(name)
    assert "\n" not in str(raised.value)
