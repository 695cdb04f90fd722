"""Images on a device: raw bytes stay as they are, batches are normalised when they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from benchmarks.datasets import DataSource


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor over the same memory, also where that is read-only because processes share it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Some images of a split, without a copy of their pixels.

    Attributes:
        x: uint8 pixels of the whole split, shape (N, channels, height, width).
        y: int64 labels of the whole split, shape (N,).
        index: int64 positions of this set's n images in the split, shape (n,).
        scale, shift: Normalisation per channel, shape (channels, 1, 1): float pixels are
            `x * scale + shift`, which is `(x / 255 - mean) / std`.
    """

    x: torch.Tensor
    y: torch.Tensor
    index: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor

    def __len__(self) -> int:
        return len(self.index)

    @property
    def labels(self) -> torch.Tensor:
        """int64 labels of this set, shape (n,)."""
        return self.y[self.index]

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 images from uint8 pixels, or from floats between 0 and 255."""
        x = pixels.to(torch.float32, memory_format=torch.channels_last)
        return torch.addcmul(self.shift, x, self.scale)

    def batches(
        self, size: int, rng: torch.Generator | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Normalised images and labels, `size` at a time; in random order if a generator is given."""
        for positions in self.order(rng).split(size):
            index = self.index[positions]
            yield self.normalise(self.x[index]), self.y[index]

    def steps(self, size: int) -> int:
        """How many batches of that size `batches` gives."""
        return -(-len(self) // size)

    def order(self, rng: torch.Generator | None = None) -> torch.Tensor:
        """All positions of this set, shape (n,); in random order if a generator is given."""
        if rng is None:
            return torch.arange(len(self), device=self.index.device)
        return torch.randperm(len(self), generator=rng, device=rng.device).to(self.index.device)

    def subset(self, positions: torch.Tensor) -> ImageSet:
        """The images at some positions of this set."""
        return replace(self, index=self.index[positions])

    def alone(self) -> ImageSet:
        """The same images in memory of their own, away from the rest of the split."""
        order = torch.arange(len(self), device=self.index.device)
        return replace(self, x=self.x[self.index], y=self.y[self.index], index=order)

    def relabelled(self, labels: torch.Tensor) -> ImageSet:
        """The same images under other labels, int64 of shape (n,)."""
        y = self.y.clone()
        y[self.index] = labels
        return replace(self, y=y)

    def limited(self, count: int | None) -> ImageSet:
        """A fixed random subset of at most `count` images, in their order; all of them for None."""
        if count is None or count >= len(self):
            return self
        chosen = np.random.default_rng(0).choice(len(self), size=count, replace=False)
        return self.subset(torch.from_numpy(np.sort(chosen)).to(self.index.device))


def joined(first: ImageSet, second: ImageSet) -> ImageSet:
    """The union of two sets over the same split; where they label an image, the first one's label holds."""
    y = second.y.clone()
    y[first.index] = first.y[first.index]
    return replace(second, y=y, index=torch.cat([first.index, second.index]))


def on_device(x: np.ndarray, labels: np.ndarray, source: DataSource, device: torch.device) -> ImageSet:
    """All images of one split of a data set, under the given labels."""
    mean = torch.tensor(source.mean, device=device).view(-1, 1, 1)
    std = torch.tensor(source.std, device=device).view(-1, 1, 1)
    return ImageSet(
        x=as_tensor(x).to(device),
        y=as_tensor(labels).to(device),
        index=torch.arange(len(labels), device=device),
        scale=1 / (255 * std),
        shift=-mean / std,
    )
