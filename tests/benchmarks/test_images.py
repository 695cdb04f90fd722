"""Image sets: raw bytes in one place, made ready on demand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.datasets import load
from benchmarks.images import ImageSet, as_tensor, joined, on_device, pixels_on

CPU = torch.device("cpu")


@pytest.fixture
def images() -> ImageSet:
    data = load("digits")
    everything = on_device(pixels_on(data.train.x, CPU), data.train.y, data.source.preprocessing, 8, CPU)
    return everything.subset(torch.arange(5, 205, 2))


def test_pixels_stay_in_the_memory_of_the_data_set(images: ImageSet) -> None:
    data = load("digits")
    address = data.train.x.ctypes.data
    assert images.x.data_ptr() == address
    assert images.subset(torch.arange(3)).x.data_ptr() == address
    assert images.limited(10).x.data_ptr() == address
    assert images.relabelled(torch.zeros(len(images), dtype=torch.int64)).x.data_ptr() == address


def test_read_only_memory_is_read_without_a_copy_or_a_warning(recwarn) -> None:
    array = np.arange(4)
    array.flags.writeable = False
    assert as_tensor(array).data_ptr() == array.ctypes.data
    assert not recwarn


@pytest.mark.parametrize("name", ["digits"])
def test_normalisation(images: ImageSet, name: str) -> None:
    source = load(name).source
    x = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8)).astype(np.uint8)
    expected = (x / 255 - np.reshape(source.mean, (1, -1, 1, 1))) / np.reshape(source.std, (1, -1, 1, 1))
    assert np.allclose(images.ready(torch.from_numpy(x)).numpy(), expected, atol=1e-5)
    assert images.ready(torch.from_numpy(x)).dtype == torch.float32


def test_normalisation_per_channel() -> None:
    from benchmarks.datasets import datasets

    source = datasets.get("cifar100")
    x = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    everything = on_device(pixels_on(x, CPU), np.zeros(4, np.int64), source.preprocessing, 32, CPU)
    got = next(everything.batches(4))[0]
    expected = (x / 255 - np.array(source.mean)) / np.array(source.std)
    assert np.allclose(got.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)
    assert got.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("seed", [None, 3])
def test_batches_show_each_image_once_with_its_label(images: ImageSet, seed: int | None) -> None:
    rng = None if seed is None else torch.Generator().manual_seed(seed)
    batches = list(images.batches(30, rng))
    assert [len(y) for _, y in batches] == [30, 30, 30, 10]
    x, y = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    whole, labels = images.ready(images.pixels(images.index)), images.labels
    if seed is None:
        assert torch.equal(x, whole)
        assert torch.equal(y, labels)
        return
    assert not torch.equal(x, whole)
    rows = sorted((*a.flatten().tolist(), int(b)) for a, b in zip(x, y, strict=True))
    assert rows == sorted((*a.flatten().tolist(), int(b)) for a, b in zip(whole, labels, strict=True))


def test_a_seed_decides_the_order(images: ImageSet) -> None:
    def order(seed):
        return images.order(torch.Generator().manual_seed(seed)).tolist()

    assert order(0) == order(0) != order(1)


def test_other_labels_do_not_change_the_original(images: ImageSet) -> None:
    before = images.y.clone()
    other = images.relabelled((images.labels + 1) % 10)
    assert torch.equal(other.labels, (images.labels + 1) % 10)
    assert torch.equal(images.y, before)
    outside = torch.ones(len(before), dtype=torch.bool)
    outside[images.index] = False
    assert torch.equal(other.y[outside], before[outside])


def test_a_union_keeps_the_first_sets_labels(images: ImageSet) -> None:
    data = load("digits")
    rest = torch.arange(6, 206, 2)
    second = on_device(pixels_on(data.train.x, CPU), data.train.y, data.source.preprocessing, 8, CPU).subset(
        rest
    )
    wrong = images.relabelled((images.labels + 1) % 10)
    before = second.y.clone()
    both = joined(wrong, second)
    assert torch.equal(second.y, before)
    assert len(both) == 200
    assert torch.equal(both.labels, torch.cat([wrong.labels, second.labels]))
    assert sorted(both.index.tolist()) == sorted([*images.index.tolist(), *rest.tolist()])


def test_alone_shows_the_same_images_and_holds_no_others(images: ImageSet) -> None:
    alone = images.alone()
    assert len(alone.x) == len(alone.y) == len(alone) == 100
    assert torch.equal(alone.labels, images.labels)
    assert torch.equal(alone.pixels(alone.index), images.pixels(images.index))
    assert alone.x.data_ptr() != images.x.data_ptr()


def test_a_limit_is_a_fixed_choice(images: ImageSet) -> None:
    few = images.limited(10)
    assert len(few) == 10
    assert torch.equal(few.index, images.limited(10).index)
    assert set(few.index.tolist()) <= set(images.index.tolist())
    assert images.limited(None) is images
    assert images.limited(1000) is images
