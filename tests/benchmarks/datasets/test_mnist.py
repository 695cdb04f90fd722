"""Fashion-MNIST, from files written in its layout; MNIST itself is tested with the real files."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import datasets, load, loading
from benchmarks.errors import DataError
from benchmarks.testing import check_dataset

SIZES = {"train": 60_000, "t10k": 10_000}


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The four files of the right sizes, their labels and pixels counting up."""
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for split, count in SIZES.items():
        sizes = np.array([0x803, count, 28, 28], ">u4")
        pixels = np.resize(np.arange(251, dtype=np.uint8), count * 784)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(sizes.tobytes() + pixels.tobytes())
        labels = (
            np.array([0x801, count], ">u4").tobytes() + (np.arange(count) % 10).astype(np.uint8).tobytes()
        )
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(labels)
    yield folder
    loading.load_source.cache_clear()


def test_images_and_labels_are_those_of_the_files(raw) -> None:
    data = load("fashion_mnist")
    for part, count in ((data.train, 60_000), (data.test, 10_000)):
        assert part.x.shape == (count, 28, 28, 1)
        assert part.x[count - 1].ravel().tolist() == [((count - 1) * 784 + k) % 251 for k in range(784)]
        assert part.y[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


def test_the_contract(raw) -> None:
    check_dataset(datasets.get("fashion_mnist"))


def test_a_file_of_another_size_is_named(raw) -> None:
    path = raw / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        DataError, match=r"t10k-labels-idx1-ubyte is corrupt \(its size is not 10008 bytes\); delete"
    ):
        load("fashion_mnist")


def test_compressed_files_from_a_manual_download_are_enough(raw, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import FashionMNIST

    resources = []
    for path in sorted(raw.iterdir()):
        packed = path.with_name(f"{path.name}.gz")
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
        resources.append((packed.name, hashlib.md5(packed.read_bytes()).hexdigest()))
        path.unlink()
    monkeypatch.setattr(FashionMNIST, "resources", resources)
    assert len(load("fashion_mnist").train) == 60_000


def test_the_order_of_the_classes_is_torchvisions() -> None:
    from torchvision.datasets import FashionMNIST

    names = [
        name.lower().removesuffix("/top").replace("-", "_").replace(" ", "_") for name in FashionMNIST.classes
    ]
    assert list(datasets.get("fashion_mnist").classes) == names
