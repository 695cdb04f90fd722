"""Images on a device: stored as raw bytes, normalised and resized batch by batch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.datasets import Pixels
from benchmarks.weights.checkpoint import Preprocessing

# Float pixels of a forward pass without gradients, in bytes: larger passes exceed a CPU's caches
_PASS_BYTES = {"cpu": 3 * 2**17, "cuda": 64 * 2**20}
_FEWEST = 4  # images of a pass: a ViT at 224 pixels takes 1.4 times as long with single images


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor over the same memory, which may be read-only because processes share it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


class Streamed:
    """Pixels of a split that are read from their files for every batch."""

    def __init__(self, pixels: Pixels, device: torch.device) -> None:
        self._pixels = pixels
        self.device = device
        count, height, width, channels = pixels.shape
        self.shape = torch.Size((count, channels, height, width))

    def take(self, index: torch.Tensor) -> torch.Tensor:
        """uint8 pixels of the images at some positions, int64 of shape (k,), on the device."""
        return torch.from_numpy(self._pixels[index.cpu().numpy()]).to(self.device).permute(0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A set of images of a split, without a copy of their pixels.

    Attributes:
        x: uint8 pixels of the whole split, shape (N, channels, height, width), each image's channels last
            in memory.
        y: int64 labels of the whole split, shape (N,).
        index: int64 positions of this set's n images in the split, shape (n,).
        scale, shift: Normalisation per channel, shape (channels, 1, 1): float pixels are
            `x * scale + shift`, which is `(x / 255 - mean) / std`.
        size: Side of the network's input images, in pixels; batches are resized to it.
    """

    x: torch.Tensor | Streamed
    y: torch.Tensor
    index: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor
    size: int

    def __len__(self) -> int:
        return len(self.index)

    @property
    def labels(self) -> torch.Tensor:
        """int64 labels of this set, shape (n,)."""
        return self.y[self.index]

    @property
    def per_pass(self) -> int:
        """The number of these images in a forward pass without gradients."""
        return per_pass((self.x.shape[1], self.size, self.size), self.x.device)

    def ready(self, pixels: torch.Tensor) -> torch.Tensor:
        """The network's input, float32, from uint8 pixels or from floats between 0 and 255.

        Normalised, then resized if the network takes another size (as published: a method's noise is added
        to the network's input).
        """
        x = pixels.to(torch.float32, memory_format=torch.channels_last)
        # Factors of an image's size: with a factor per channel the innermost loop would have three values
        scale, shift = (_as_large_as(value, x) for value in (self.scale, self.shift))
        x = torch.addcmul(shift, x, scale)
        if x.shape[-1] == self.size:
            return x
        shrinks = x.shape[-1] > self.size
        return F.interpolate(x, size=(self.size, self.size), mode="bilinear", antialias=shrinks)

    def batches(
        self, size: int, rng: torch.Generator | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Images ready for the network and labels, `size` at a time; in random order with a generator."""
        for positions in self.order(rng).split(size):
            index = self.index[positions]
            yield self.ready(self.pixels(index)), self.y[index]

    def pixels(self, index: torch.Tensor) -> torch.Tensor:
        """uint8 pixels of the images at some positions of the split, int64 of shape (k,)."""
        if isinstance(self.x, Streamed):
            return self.x.take(index)
        # In memory order, so that whole images are copied
        return self.x.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)

    def steps(self, size: int) -> int:
        """The number of batches that `batches` yields for a batch size."""
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
        """A copy of the images, separate from the rest of the split."""
        order = torch.arange(len(self), device=self.index.device)
        return replace(self, x=self.pixels(self.index), y=self.y[self.index], index=order)

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
    """The union of two sets over the same split; for images in both, the label of the first set applies."""
    y = second.y.clone()
    y[first.index] = first.y[first.index]
    return replace(second, y=y, index=torch.cat([first.index, second.index]))


def per_pass(shape: Sequence[int], device: torch.device) -> int:
    """The number of images of a shape (channels, height, width) in a forward pass without gradients."""
    return max(_FEWEST, _PASS_BYTES.get(device.type, _PASS_BYTES["cuda"]) // (4 * math.prod(shape)))


def pixels_on(x: np.ndarray | Pixels, device: torch.device) -> torch.Tensor | Streamed:
    """The images of a split on a device: moved as a whole, or batch by batch if they are streamed."""
    if isinstance(x, np.ndarray):
        return as_tensor(x).to(device).permute(0, 3, 1, 2)
    return Streamed(x, device)


def _as_large_as(values: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """A value per channel, shape (channels, 1, 1), expanded to an image of the same memory format."""
    whole = values.expand(images.shape[1:]).unsqueeze(0)
    return whole.contiguous(memory_format=torch.channels_last)


def on_device(
    x: torch.Tensor | Streamed,
    labels: np.ndarray,
    preprocessing: Preprocessing,
    size: int,
    device: torch.device,
) -> ImageSet:
    """All images of a split of a data set, under the given labels, for a network with that input size.

    Raises:
        DataError: for a preprocessing of another number of channels.
    """
    mean, std = (
        torch.tensor(values, device=device).view(-1, 1, 1) for values in preprocessing.per_channel(x.shape[1])
    )
    return ImageSet(
        x=x,
        y=as_tensor(labels).to(device),
        index=torch.arange(len(labels), device=device),
        scale=1 / (255 * std),
        shift=-mean / std,
        size=size,
    )
