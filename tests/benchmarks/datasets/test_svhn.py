"""SVHN, from .mat files written in its layout."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import datasets, load, loading, svhn
from benchmarks.errors import DataError
from benchmarks.testing import check_dataset

# ten stands for the digit 0
DIGITS = {"train": np.tile(np.arange(10, 0, -1), 5), "test": np.arange(1, 11)}
SMALL = replace(datasets.get("svhn"), train_size=50, test_size=10, validation_fraction=0.2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from scipy.io import savemat
    from torchvision.datasets import SVHN

    (tmp_path / "svhn").mkdir()
    known, split_list = {}, {}
    for split, digits in DIGITS.items():
        x = np.random.default_rng(len(digits)).integers(0, 256, (32, 32, 3, len(digits))).astype(np.uint8)
        path = tmp_path / "svhn" / f"{split}_32x32.mat"
        savemat(path, {"X": x, "y": digits[:, None].astype(np.uint8)})
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        known[f"svhn/{path.name}"] = md5
        split_list[split] = ["", path.name, md5]
    monkeypatch.setattr(svhn, "_MD5", known)
    monkeypatch.setattr(SVHN, "split_list", split_list)
    return tmp_path


def test_images_and_digits_are_those_of_the_files(folder) -> None:
    from scipy.io import loadmat

    data = loading.load_source(SMALL, folder)
    assert data.train.y.tolist() == [0, 9, 8, 7, 6, 5, 4, 3, 2, 1] * 5
    assert data.test.y.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    raw = loadmat(folder / "svhn" / "train_32x32.mat")["X"]
    for i in (0, 1, 49):
        for channel in range(3):
            assert np.array_equal(data.train.x[i, ..., channel], raw[:, :, channel, i])


def test_the_contract(folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(folder))
    check_dataset(SMALL)


def test_the_checksums_are_torchvisions() -> None:
    from torchvision.datasets import SVHN

    known = {f"svhn/{name}": md5 for _, name, md5 in SVHN.split_list.values()}
    assert svhn._MD5.items() <= known.items()
    assert set(svhn._MD5) == {"svhn/train_32x32.mat", "svhn/test_32x32.mat"}


def test_a_corrupt_file_is_named(folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(folder))
    (folder / "svhn" / "test_32x32.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"test_32x32\.mat is corrupt"):
        load("svhn")
