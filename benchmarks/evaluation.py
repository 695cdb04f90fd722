"""One forward pass per split, in eval and inference mode; every metric reads its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import nn

from benchmarks.errors import NotRetrained
from benchmarks.images import ImageSet
from benchmarks.inference import eval_mode, fast_convolutions, overwriting
from benchmarks.toolbox.geometry import Surface
from benchmarks.weights.change import WeightChange

HeldOut = Literal["validation", "test"]


@dataclass(frozen=True)
class Relearned:
    """The end of a relearning.

    Attributes:
        steps: Mini-batches of training; 0 if the model was accurate enough at the start.
        reached: Whether it became accurate enough; if not, more steps are needed or the training diverged.
    """

    steps: int
    reached: bool


@dataclass(frozen=True, eq=False)
class Inverted:
    """The images that an attack made.

    Attributes:
        images: uint8 pixels, shape (n, channels, height, width).
        labels: int64, the class that each image should show, shape (n,).
        recognised: int64, the class that the judging network predicts, shape (n,).
    """

    images: np.ndarray
    labels: np.ndarray
    recognised: np.ndarray

    @property
    def share(self) -> float:
        """Percent of the images in which the judge recognises their class."""
        return 100 * float((self.labels == self.recognised).mean())


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of a model on a split.

    Attributes:
        logits: float32, shape (n, num_classes).
        labels: int64, shape (n,).
        weight: The number of images of the split that each of these represents; above 1 for a subset.
    """

    logits: np.ndarray
    labels: np.ndarray
    weight: float = 1.0

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """Log-softmax of the logits in float64, shape (n, num_classes)."""
        z = self.logits.astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # type: ignore[no-any-return]

    @cached_property
    def entropy(self) -> np.ndarray:
        """Shannon entropy of every softmax in nats, shape (n,)."""
        log_p = self.log_probabilities
        return -(np.exp(log_p) * log_p).sum(axis=1)  # type: ignore[no-any-return]

    @cached_property
    def predicted(self) -> np.ndarray:
        """The class of the largest logit, the first of equal ones, int64 of shape (n,)."""
        return self.logits.argmax(axis=1)  # type: ignore[no-any-return]

    @cached_property
    def correct(self) -> np.ndarray:
        """Whether the largest logit is the label's, bool of shape (n,)."""
        return self.predicted == self.labels  # type: ignore[no-any-return]

    @property
    def confidence(self) -> np.ndarray:
        """Log-odds of the label, log p - log(1 - p), in nats, shape (n,); exact also where p rounds to 1."""
        log_p = self.log_probabilities.copy()
        rows = np.arange(len(self))
        log_p[rows, self.labels] = -np.inf
        highest = log_p.max(axis=1, keepdims=True)
        others = highest[:, 0] + np.log(np.exp(log_p - highest).sum(axis=1))
        return self.log_p_true - others  # type: ignore[no-any-return]

    @property
    def log_p_true(self) -> np.ndarray:
        """Log-probability of the label, shape (n,); its negative is the cross-entropy."""
        return self.log_probabilities[np.arange(len(self)), self.labels]  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions of a model on the four splits of a scenario.

    The functions are None if the model itself is not available.

    Attributes:
        held_out: Whether the last two splits are validation images (while parameters are chosen) or test
            images (when results are reported).
        relearn: Trains a copy of the model until it has an accuracy on the forget images again, in percent.
        change: Compares its weights with those of the original model.
        surface: Its geometry around the forget images.
        inverted: The images that it takes for the forgotten classes; returns None if no class is forgotten.
        synthetic: Its predictions on images made from the original model, of retained and forgotten classes.
    """

    held_out: HeldOut
    task: str
    retain_train: Predictions
    forget_train: Predictions
    retain_held_out: Predictions
    forget_held_out: Predictions
    relearn: Callable[[float], Relearned] | None = None
    change: Callable[[], WeightChange] | None = None
    surface: Callable[[], Surface] | None = None
    inverted: Callable[[], Inverted | None] | None = None
    synthetic: Callable[[], tuple[Predictions, Predictions]] | None = None

    @property
    def images(self) -> int:
        """The number of evaluated images."""
        parts = (self.retain_train, self.forget_train, self.retain_held_out, self.forget_held_out)
        return sum(len(part) for part in parts)


@dataclass(frozen=True, eq=False)
class References:
    """The models that an unlearned model is compared with, evaluated on the same images.

    Attributes:
        first: The first retrained model; None if there is no retrained model.
        untrained: Initialises a random network of the same architecture and returns its predictions on the
            forget training images; None if that is not possible.
        others: Further retrained models.
    """

    original: Evaluation
    first: Evaluation | None
    untrained: Callable[[], Predictions] | None = None
    others: tuple[Evaluation, ...] = ()

    @property
    def retrained(self) -> Evaluation:
        """The first retrained model, for metrics that compare models image by image.

        Raises:
            NotRetrained: if there is no retrained model; `measure` then returns NaN.
        """
        if self.first is None:
            raise NotRetrained("there is no retrained model to compare with")
        return self.first

    @property
    def retrained_all(self) -> tuple[Evaluation, ...]:
        """All retrained models; targets are means over them."""
        return () if self.first is None else (self.first, *self.others)

    def without(self, position: int) -> References:
        """The references of a retrained model: the others, or itself if it is the only retrained model."""
        every = self.retrained_all
        left = every[:position] + every[position + 1 :]
        return replace(self, first=left[0], others=left[1:]) if left else self

    @cached_property
    def random(self) -> Predictions | None:
        """The predictions of a random network, computed on first use."""
        return None if self.untrained is None else self.untrained()


def predict(model: nn.Module, images: ImageSet) -> Predictions:
    """One pass over the images in large batches; the modes of the modules are restored afterwards."""
    with eval_mode(model), torch.inference_mode(), overwriting(model), fast_convolutions(model):
        logits = [model(x).float().cpu() for x, _ in images.batches(images.per_pass)]
    labels = images.labels.cpu().numpy()
    if not logits:
        return Predictions(np.empty((0, 1), np.float32), labels)
    return Predictions(torch.cat(logits).numpy(), labels)


def evaluate(
    model: nn.Module,
    splits: Mapping[str, ImageSet],
    task: str,
    held_out: HeldOut,
    weights: Mapping[str, float] | None = None,
) -> Evaluation:
    """Predictions of a model on the four splits named in Evaluation.

    Args:
        weights: For splits that are subsets, the number of images that each of their images represents.

    Raises:
        ArithmeticError: if a logit is infinite or NaN; the splits after it are then not evaluated.
    """

    def part(split: str) -> Predictions:
        predictions = predict(model, splits[split])
        if not np.isfinite(predictions.logits).all():
            raise ArithmeticError("the logits are not finite")
        return replace(predictions, weight=(weights or {}).get(split, 1.0))

    # The smaller splits first: the first logit that is not finite ends the evaluation
    held = {name: part(f"{name}_{held_out}") for name in ("forget", "retain")}
    return Evaluation(
        held_out=held_out,
        task=task,
        forget_held_out=held["forget"],
        retain_held_out=held["retain"],
        forget_train=part("forget_train"),
        retain_train=part("retain_train"),
    )
