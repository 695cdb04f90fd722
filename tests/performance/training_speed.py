"""Training of VGG11 and ResNet18 on CIFAR-100, and of a plain loop with a DataLoader; accuracy of both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from benchmarks import Scenario
from benchmarks.datasets import data_folder, load
from benchmarks.evaluation import predict
from benchmarks.training.loop import train
from benchmarks.training.models import all_images, placed
from benchmarks.training.networks import build_network
from benchmarks.training.recipes import Recipe
from benchmarks.training.reproducible import seeded
from tests.performance.figures import Figure

IMAGES = 2_000
EPOCHS = 2
ROUNDS = 3


def measure() -> Iterator[Figure]:
    """Images per second of both and their test accuracy, per network; the medians over seeds."""
    for model in ("vgg11", "resnet18"):
        scenario = Scenario("cifar100", model, "full_class", "sea")
        runs = [(_ours(scenario, seed), _plain(scenario, seed)) for seed in range(ROUNDS)]
        ratio = statistics.median(plain[0] / ours[0] for ours, plain in runs)
        (fast, good), (slow, plain_good) = (
            [statistics.median(figures) for figures in zip(*side, strict=True)]
            for side in zip(*runs, strict=True)
        )
        rate = IMAGES * EPOCHS
        yield Figure(
            f"training {model} on CIFAR-100, plain loop over ours",
            ratio,
            "times",
            note=f"{rate / fast:.0f} against {rate / slow:.0f} images/s; after {EPOCHS} epochs "
            f"{good:.1f} % and {plain_good:.1f} % right",
        )


def _recipe() -> Recipe:
    return Recipe(EPOCHS, batch_size=64, max_lr=0.02, augmentation="crop_flip_rotate")


def _ours(scenario: Scenario, seed: int) -> tuple[float, float]:
    """Seconds and test accuracy."""
    device = torch.device("cpu")
    images = all_images(scenario, load("cifar100"), device)
    model = placed(build_network(scenario, seed), device)
    rng = torch.Generator().manual_seed(seed)
    with seeded(seed):
        began = time.perf_counter()
        none = images["test"].subset(torch.arange(0))
        train(model, images["train"].subset(torch.arange(IMAGES)), none, _recipe(), rng)
        seconds = time.perf_counter() - began
    return seconds, 100 * float(predict(model, images["test"].limited(2000)).correct.mean())


def _plain(scenario: Scenario, seed: int) -> tuple[float, float]:
    """The same network and recipe, as in tutorials."""
    source = scenario.source
    last = [transforms.ToTensor(), transforms.Normalize(source.mean, source.std)]
    first = [transforms.RandomCrop(32, 4), transforms.RandomHorizontalFlip(), transforms.RandomRotation(15)]
    data = datasets.CIFAR100(str(data_folder()), train=True, transform=transforms.Compose(first + last))
    loader = DataLoader(Subset(data, range(IMAGES)), 64, shuffle=True, num_workers=2)
    model: nn.Module = build_network(scenario, seed)
    with seeded(seed):
        began = time.perf_counter()
        optimiser = torch.optim.SGD(model.parameters(), 0.02, 0.9, weight_decay=5e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, 0.02, total_steps=EPOCHS * len(loader), cycle_momentum=False
        )
        model.train()
        for _ in range(EPOCHS):
            for x, y in loader:
                optimiser.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimiser.step()
                schedule.step()
        seconds = time.perf_counter() - began
    test = all_images(scenario, load("cifar100"), torch.device("cpu"))["test"].limited(2000)
    return seconds, 100 * float(predict(model, test).correct.mean())
