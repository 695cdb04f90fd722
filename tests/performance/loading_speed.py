"""Batches of CIFAR-100 ready for a network: bytes normalised on the device, and torchvision's DataLoader."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks import Scenario
from benchmarks.datasets import data_folder, load
from benchmarks.training.loop import augment
from benchmarks.training.models import all_images
from tests.performance.figures import Figure

BATCH = 128
IMAGES = 10_000
ROUNDS = 5
AIM = 10.0


def measure() -> Iterator[Figure]:
    """The ratio for images as they are, as evaluation and unlearning take them, and for augmented ones."""
    data = load("cifar100")
    ours = all_images(Scenario("cifar100", "cnn2", "full_class", "sea"), data, torch.device("cpu"))["train"]
    ours = ours.subset(torch.arange(IMAGES))
    rng = torch.Generator().manual_seed(0)
    usual = [transforms.ToTensor(), transforms.Normalize(data.source.mean, data.source.std)]
    published = [
        transforms.RandomCrop(32, 4),
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(15),
    ]

    def augmented() -> Iterator[object]:
        for positions in ours.order(rng).split(BATCH):
            pixels = ours.pixels(ours.index[positions])
            yield ours.ready(augment(pixels, "crop_flip_rotate", rng))

    plain = _loader(usual)
    _same(next(iter(ours.batches(BATCH)))[0], next(iter(_loader(usual, shuffle=False)))[0])
    yield _figure("as they are", lambda: ours.batches(BATCH, rng), plain, AIM)
    yield _figure("augmented", augmented, _loader(published + usual), None)


def _loader(steps: list[object], shuffle: bool = True) -> DataLoader[object]:
    data = datasets.CIFAR100(str(data_folder()), train=True, transform=transforms.Compose(steps))
    part = torch.utils.data.Subset(data, range(IMAGES))
    return DataLoader(part, BATCH, shuffle=shuffle, num_workers=2, persistent_workers=True)


def _figure(
    what: str, ours: Callable[[], Iterable[object]], plain: Iterable[object], aim: float | None
) -> Figure:
    _seconds(plain)  # its workers start
    pairs = [(_seconds(plain), _seconds(ours())) for _ in range(ROUNDS)]
    ratio = statistics.median(a / b for a, b in pairs)
    slow, fast = (IMAGES / statistics.median(side) for side in zip(*pairs, strict=True))
    note = f"{fast:,.0f} against {slow:,.0f} images/s with 2 loader processes"
    return Figure(f"batches of CIFAR-100 {what}, ours over a DataLoader", ratio, "times", aim, note=note)


def _seconds(batches: Iterable[object]) -> float:
    began = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - began


def _same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert torch.allclose(ours, theirs, atol=1e-5)
