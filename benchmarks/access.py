"""Levels of access to the training data, and the object that enforces them for a method."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.errors import AccessDenied, NotRecorded

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.images import ImageSet
    from benchmarks.training.recipes import Recipe
    from benchmarks.trial.shared_work import SharedWork

T = TypeVar("T")


class Access(IntEnum):
    """Levels of access to training data; each includes the ones before it.

    MODEL: the trained model alone. CLASS_ID: also which classes to forget (zero-shot in the sense of
    Chundawat et al.). FORGET: also the forget images (zero-shot in the sense of Foster et al.).
    RETAIN: also the retain images.
    """

    MODEL = 0
    CLASS_ID = 1
    FORGET = 2
    RETAIN = 3

    @property
    def label(self) -> str:
        """The lower-case name in the table."""
        return self.name.lower()


@dataclass(frozen=True, eq=False)
class TrialData:
    """The argument of `unlearn`. Reading anything beyond the declared access raises AccessDenied.

    Below RETAIN, `forget` is a separate copy, so that no other image can be reached through it.
    It never contains test images. Every method may read the task's name, the shape of an image, the
    number of classes and `new_model`, which builds the network with fresh random weights at every call.

    Attributes:
        method, access: The name of the method that reads, and its declared access.
        recipe: How the original model was trained.
    """

    method: str
    access: Access
    task: str
    num_classes: int
    image_shape: tuple[int, int, int]
    recipe: Recipe
    new_model: Callable[[], nn.Module]
    _forget_classes: tuple[int, ...]
    _forget: ImageSet
    _retain: ImageSet
    _validation: ImageSet
    _updates: Mapping[str, torch.Tensor] | None = None
    _pretrain: Callable[[nn.Module], None] = lambda model: None
    _observe: Callable[[nn.Module, float], None] = lambda model, share: None
    _count: Callable[[int, int], None] = lambda forward, backward: None
    _work: SharedWork | None = None

    def initial_model(self) -> nn.Module:
        """A new network as the recipe starts to train it, with published weights if the recipe uses them."""
        model = self.new_model()
        self._pretrain(model)
        return model

    def track(self, model: nn.Module, steps: int) -> Callable[[], None]:
        """A function that the method calls after each of its steps.

        Users then see the progress of a trial, and a search can end a hopeless trial: between two steps
        the current model is measured (in eval mode; the modes are restored). The method does not receive
        the measurements.

        Args:
            model: The model that the method would return if it stopped now.
            steps: The number of calls that the method will make.
        """
        done = itertools.count(1)
        return lambda: self._observe(model, next(done) / steps)

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Add images to the trial's cost that its hooks cannot see: those inside `torch.func`."""
        self._count(forward, backward)

    def once(self, name: str, compute: Callable[[torch.Generator], T], *depends_on: Any) -> T:
        """A value that no searched hyper-parameter changes, which the trials of a search compute once.

        It depends on the original model, the scenario, `depends_on` and the generator that `compute` is
        given, and on nothing else: not on other hyper-parameters or the trial's generator. Request it before
        the model is changed, and do not change it in place. Its cost counts for the trial, whether it was
        computed or reused.

        Args:
            name: Distinguishes the values of a method.
            compute: Returns tensors, numbers or text, in dicts, tuples and lists.
            depends_on: The options that change the value: numbers, text, or tuples of them.

        Raises:
            TypeError: for anything else in `depends_on` or in the value.
        """
        return self._shared_work().by_scenario(name, compute, depends_on)

    def once_per_model(
        self, name: str, compute: Callable[[ImageSet, torch.Generator], T], *depends_on: Any
    ) -> T:
        """As `once`, for a value of the original model and all of its training images. Needs RETAIN.

        All forget sets share it, so it must not depend on which of the images are to be forgotten.

        Args:
            compute: Receives all training images in the order of the data set, and a generator.
        """
        from benchmarks.images import joined

        images = joined(self.retain, self.forget)
        images = replace(images, index=images.index.sort().values)
        return self._shared_work().by_model(name, compute, depends_on, images)

    def _shared_work(self) -> SharedWork:
        from benchmarks.trial.meter import Meter
        from benchmarks.trial.shared_work import SharedWork

        if self._work is not None:
            return self._work
        device = self._forget.index.device
        return SharedWork(self.method, Meter(device), device=device)

    @property
    def forget_classes(self) -> tuple[int, ...]:
        """Labels of the classes to forget, empty in the task `random`. Needs CLASS_ID."""
        self._require(Access.CLASS_ID, "the forget classes")
        return self._forget_classes

    @property
    def forget(self) -> ImageSet:
        """Training images to forget, with their labels. Needs FORGET."""
        self._require(Access.FORGET, "the forget images")
        return self._forget

    @property
    def retain(self) -> ImageSet:
        """Training images to retain, with their labels. Needs RETAIN."""
        self._require(Access.RETAIN, "the retain images")
        return self._retain

    @property
    def validation(self) -> ImageSet:
        """Held-out training images of the retained classes, for selection. Needs RETAIN."""
        self._require(Access.RETAIN, "the validation images")
        return self._validation

    @property
    def recorded_updates(self) -> Mapping[str, torch.Tensor]:
        """Parameter name -> the sum of all training steps whose batch contained a forget image. Needs RETAIN.

        Raises:
            NotRecorded: if the scenario was prepared without recording them.
        """
        self._require(Access.RETAIN, "the recorded training steps")
        if self._updates is None:
            raise NotRecorded(
                f"method '{self.method}' needs a training run that recorded its steps; "
                "prepare the scenario with `record=True`"
            )
        return self._updates

    def _require(self, needed: Access, what: str) -> None:
        if self.access < needed:
            raise AccessDenied(
                f"method '{self.method}' declares access '{self.access.label}' but reads {what}; "
                f"declare Access.{needed.name} or do without them"
            )
