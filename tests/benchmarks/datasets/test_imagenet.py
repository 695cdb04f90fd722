"""ImageNet: a small tree in its layout, streamed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.datasets import datasets, imagenet, load, loading
from benchmarks.datasets.pictures import Stream, inner, read
from benchmarks.errors import DataError
from benchmarks.images import on_device, pixels_on
from benchmarks.testing import check_dataset
from tests.benchmarks.datasets.image_files import picture

WNIDS = ("n01440764", "n01443537", "n02112018")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Three classes of six training and two validation images."""
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    monkeypatch.setattr(imagenet, "_WNIDS", WNIDS)
    for c, wnid in enumerate(WNIDS):
        for i in range(6):
            picture(tmp_path / f"imagenet/train/{wnid}/{wnid}_{i}.JPEG", 10 * c + i, size=(300, 260 + 9 * i))
        for i in range(2):
            mode = "CMYK" if i else "L"
            picture(tmp_path / f"imagenet/val/{wnid}/val_{c}{i}.JPEG", 50 + i, size=(240, 320), mode=mode)
    return replace(
        datasets.get("imagenet"), classes=WNIDS, train_size=18, test_size=6, validation_fraction=0.4
    )


def test_the_contract(source) -> None:
    check_dataset(source)


def test_images_are_read_when_a_batch_asks_for_them(source, tmp_path: Path) -> None:
    data = loading.load_source(source, tmp_path)
    assert isinstance(data.train.x, Stream)
    assert data.train.y.tolist() == [c for c in range(3) for _ in range(6)]
    device = torch.device("cpu")
    images = on_device(pixels_on(data.train.x, device), data.train.y, source.preprocessing, 224, device)
    x, y = next(images.subset(torch.tensor([7, 0])).batches(2))
    assert y.tolist() == [1, 0]
    paths = ["n01443537/n01443537_1.JPEG", "n01440764/n01440764_0.JPEG"]
    pixels = np.stack([read(tmp_path / "imagenet/train" / path, 224, inner) for path in paths])
    expected = (pixels / 255 - np.array(source.mean)) / np.array(source.std)
    assert np.allclose(x.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_a_variant_is_in_memory_and_has_the_same_pixels(source, tmp_path: Path) -> None:
    part = loading.load_source(loading.subset(source, "15"), tmp_path)
    whole = loading.load_source(source, tmp_path)
    assert np.bincount(part.train.y).tolist() == [5, 5, 5]
    streamed = whole.train.x[np.arange(18)]
    for pixels in part.train.x:
        assert (streamed == pixels).all(axis=(1, 2, 3)).sum() == 1


def test_the_fingerprint_needs_no_pixels(source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = loading.load_source(source, tmp_path)
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("an image was opened"))
    before = data.fingerprint
    picture_bytes = tmp_path / "imagenet/train" / WNIDS[0] / f"{WNIDS[0]}_0.JPEG"
    picture_bytes.write_bytes(picture_bytes.read_bytes() + b"\0")
    assert loading.load_source.__wrapped__(source, tmp_path).fingerprint != before


def test_the_class_names_are_the_thousand_of_the_challenge() -> None:
    source = datasets.get("imagenet")
    assert len(set(source.classes)) == 1000
    assert list(source.classes) == sorted(source.classes)
    # tench, goldfish, golden retriever and toilet tissue at the places that networks give them
    places = {0: "n01440764", 1: "n01443537", 207: "n02099601", 999: "n15075141"}
    assert all(source.classes[i] == wnid for i, wnid in places.items())


def test_without_files_the_error_says_what_to_fetch_and_how_to_arrange_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    with pytest.raises(
        DataError, match=f"{tmp_path}/imagenet/train must contain .*image-net.org, .*<split>/<wnid>"
    ):
        load("imagenet")


def test_validation_images_without_class_folders_are_refused(source, tmp_path: Path) -> None:
    for path in (tmp_path / "imagenet/val").glob("*/*"):
        path.rename(tmp_path / "imagenet/val" / path.name)
    for wnid in WNIDS:
        (tmp_path / "imagenet/val" / wnid).rmdir()
    with pytest.raises(
        DataError, match=r"imagenet/val must contain .* but contains 0; .*torchvision.datasets.ImageNet"
    ):
        loading.load_source.__wrapped__(source, tmp_path)
