"""Which images to forget: a scenario names a data set, a model, a task and a forget set."""

from __future__ import annotations

import operator
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np

from benchmarks.datasets import Dataset, DataSource, datasets, stratified
from benchmarks.errors import InvalidScenario, UnknownName, suggest

Task = Literal["full_class", "sub_class", "random"]
TASKS: tuple[str, ...] = get_args(Task)
SEPARATOR = "+"  # between several forget classes: "rocket+sea"


@dataclass(frozen=True, eq=False)
class Split:
    """Index sets of a scenario, int64 and sorted; `validation` is cut from the training images.

    Train indices and validation indices count the data set's training images, test indices its test images.
    `random` forgets single training images, so its two held-out forget sets are empty.
    """

    retain_train: np.ndarray
    forget_train: np.ndarray
    retain_validation: np.ndarray
    forget_validation: np.ndarray
    retain_test: np.ndarray
    forget_test: np.ndarray

    @property
    def train(self) -> np.ndarray:
        """All training images, without the validation images."""
        return np.sort(np.concatenate([self.retain_train, self.forget_train]))

    @property
    def validation(self) -> np.ndarray:
        return np.sort(np.concatenate([self.retain_validation, self.forget_validation]))


@dataclass(frozen=True)
class Scenario:
    """One unlearning problem. Construction checks every name and brings `forget` into canonical form.

    Attributes:
        dataset, model: Registered names.
        task: `full_class` (all images of a class), `sub_class` (one class inside a superclass; the
            model predicts superclasses) or `random` (a number of training images).
        forget: Class names or indices, several joined by "+"; for `random` the number of images.
        seed: Initialises the original and the retrained model, and draws the images of `random`.

    Raises:
        UnknownName: for a data set or model that is not registered.
        InvalidScenario: for a task the data set does not have, or a forget set that is not in it.
    """

    dataset: str
    model: str
    task: str
    forget: str
    seed: int = 0

    def __post_init__(self) -> None:
        from benchmarks.models import models

        source = datasets.get(self.dataset)
        models.get(self.model).check(source.image_size)
        if self.task not in TASKS:
            raise UnknownName("task", str(self.task), TASKS)
        if self.task == "sub_class" and not source.superclasses:
            have = [d.name for d in datasets if d.superclasses]
            raise InvalidScenario(
                f"task 'sub_class' needs superclasses, which '{self.dataset}' does not have; "
                f"data sets that have them: {', '.join(have)}"
            )
        try:
            seed = operator.index(self.seed)
        except TypeError:
            seed = -1
        if seed < 0:
            raise InvalidScenario(f"'seed' must be a whole number from 0, not {self.seed!r}")
        object.__setattr__(self, "seed", seed)
        object.__setattr__(self, "forget", self._canonical(source))

    def _canonical(self, source: DataSource) -> str:
        if self.task == "random":
            limit = source.train_size - _validation_size(source)
            text = str(self.forget)
            if not _is_number(text) or not 0 < int(text) < limit:
                raise InvalidScenario(
                    f"task 'random' forgets a number of training images between 1 and {limit - 1}, "
                    f"not '{text}'"
                )
            return str(int(text))
        level = source.predicts if self.task == "full_class" else "class"
        names = source.names(level)
        chosen = {names.index(_find(part, names, source.name)) for part in self._parts()}
        if len(chosen) >= len(names):
            raise InvalidScenario(
                f"forgetting '{self.forget}' leaves no class of '{source.name}' to retain; leave one out"
            )
        return SEPARATOR.join(names[i] for i in sorted(chosen))

    def _parts(self) -> list[str]:
        forget = self.forget
        parts = forget.split(SEPARATOR) if isinstance(forget, str) else [str(forget)]
        return [part.strip() for part in parts]

    @property
    def key(self) -> str:
        """A readable identity: `digits/cnn2/full_class/8/seed0`."""
        return "/".join([self.dataset, self.model, self.task, self.forget, f"seed{self.seed}"])

    @property
    def source(self) -> DataSource:
        return datasets.get(self.dataset)

    @property
    def level(self) -> Literal["class", "superclass"]:
        """Whether the model predicts the data set's classes or its superclasses."""
        return "superclass" if self.task == "sub_class" else self.source.predicts

    @property
    def classes(self) -> tuple[str, ...]:
        """What the model predicts, in the order of its outputs."""
        return self.source.names(self.level)

    @property
    def forget_labels(self) -> tuple[int, ...]:
        """Labels (indices into `classes`) of the forget set; for `random` none."""
        if self.task == "random":
            return ()
        if self.task == "full_class":
            return tuple(self.classes.index(name) for name in self._parts())
        fine = [self.source.classes.index(name) for name in self._parts()]
        return tuple(sorted({int(label) for label in self.source.superclass_of[fine]}))

    def split(self, data: Dataset) -> Split:
        """The index sets of this scenario; the validation images are the same for every scenario."""
        held_out = _validation(data)
        train = np.setdiff1d(np.arange(len(data.train)), held_out)
        test = np.arange(len(data.test))
        if self.task == "random":
            draw = np.random.default_rng([self.seed, int(self.forget)])
            forget = np.sort(draw.choice(train, size=int(self.forget), replace=False))
            none = np.empty(0, dtype=np.int64)
            return Split(np.setdiff1d(train, forget), forget, held_out, none, test, none)
        level = self.source.predicts if self.task == "full_class" else "class"
        names = self.source.names(level)
        wanted = [names.index(name) for name in self._parts()]
        in_train = np.isin(self.source.labels(data.train.y, level), wanted)
        in_test = np.isin(self.source.labels(data.test.y, level), wanted)
        return Split(
            retain_train=train[~in_train[train]],
            forget_train=train[in_train[train]],
            retain_validation=held_out[~in_train[held_out]],
            forget_validation=held_out[in_train[held_out]],
            retain_test=test[~in_test],
            forget_test=test[in_test],
        )

    def describe(self) -> dict[str, str | int]:
        """The scenario as plain values."""
        return asdict(self)


def _find(part: str, names: tuple[str, ...], dataset: str) -> str:
    """A class by its name or, where no class has that name, by its index."""
    if part in names:
        return part
    if _is_number(part) and int(part) < len(names):
        return names[int(part)]
    raise InvalidScenario(f"'{dataset}' has no class '{part}'; {suggest(part, names)}")


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 16


def _validation_size(source: DataSource) -> int:
    return round(source.train_size * source.validation_fraction)


def _validation(data: Dataset) -> np.ndarray:
    """Training images held out for selection: stratified over the finest classes, fixed for a data set."""
    return stratified(data.train.y, _validation_size(data.source))
