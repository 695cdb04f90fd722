"""Scenarios: a data set, a model, a task and a forget set."""

from __future__ import annotations

import operator
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from benchmarks.datasets import Dataset, DataSource, datasets
from benchmarks.errors import InvalidScenario, UnknownName, suggest
from benchmarks.limits import LARGEST_SEED
from benchmarks.scenarios.forget_files import checked, digested, is_file, read
from benchmarks.scenarios.splits import Split, drawn, named, validation_size, where

Task = Literal["full_class", "sub_class", "random", "identities", "sequence"]
TASKS: tuple[str, ...] = get_args(Task)
# The task that a method must support: people are images without a separate class, and a sequence is a
# series of requests
_ASKS = {"identities": "random", "sequence": "full_class"}
METHOD_TASKS: tuple[str, ...] = tuple(task for task in TASKS if task not in _ASKS)
SEPARATOR = "+"  # between several forget classes: "rocket+sea"
THEN = ">"  # between successive requests: "rocket>sea"
OF = " of "  # between a number of people and the classes that they are drawn from: "164 of female+male"


def method_task(task: str) -> str:
    """The task that a method must declare to be run on a task."""
    return _ASKS.get(task, task)


def forgets_images(task: str) -> bool:
    """Whether a task forgets images and no class, so that forgetting is measured on those images."""
    return method_task(task) == "random"


def scenario_key(dataset: str, model: str, task: str, forget: str, seed: int, draw: int = 0) -> str:
    """A readable key: `digits/cnn2/full_class/8/seed0`, `digits/cnn2/random/40/seed0/draw3`."""
    parts = [dataset, model, task, forget, f"seed{seed}"]
    return "/".join([*parts, f"draw{draw}"] if draw else parts)


@dataclass(frozen=True)
class Scenario:
    """An unlearning problem. The constructor checks every name and brings `forget` into canonical form.

    Attributes:
        dataset, model: Registered names.
        task: `full_class` (all images of a class), `sub_class` (one class inside a superclass; the
            model predicts superclasses), `random` (a number of training images), `identities` (all images
            of some people) or `sequence` (successive requests to forget classes).
        forget: Class names or indices, several joined by "+"; for `random` the number of images, their
            share ("10%") or "file:PATH", a file that lists them (see `forget_files`); for `identities`
            names, the number of people or their share, also of those of some classes ("2% of female+male");
            for `sequence` requests joined by ">".
        seed: Initialises the original and the retrained model, and draws what `random` and `identities`
            forget.
        draw: The number of the random sample, if the forget set is only a number; every draw has another
            retrained model, and all share the original model.
        images: Indices of the training images to forget, if a file lists them: `forget` is then
            `ids-<count>-<digest>`, which depends on the images and not on the path. Read from the file, or
            given in its place.

    Raises:
        UnknownName: for a data set or model that is not registered.
        InvalidScenario: for a task that the data set does not have, an invalid forget set, or another draw of
            a forget set that is not random.
        DataError: for file names of a data set whose files are missing.
    """

    dataset: str
    model: str
    task: str
    forget: str
    seed: int = 0
    draw: int = 0
    images: tuple[int, ...] = field(default=(), kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        from benchmarks.models import models

        source = datasets.get(self.dataset)
        models.get(self.model).check(source.image_size)
        if self.task not in TASKS:
            raise UnknownName("task", str(self.task), TASKS)
        _check_task(self.task, source)
        object.__setattr__(self, "seed", _whole("seed", self.seed))
        object.__setattr__(self, "draw", _whole("draw", self.draw))
        forget = str(self.forget)
        if is_file(forget) or self.images:
            object.__setattr__(self, "images", _named_images(forget, self.images, self.task, source))
            object.__setattr__(self, "forget", digested(self.images))
        else:
            object.__setattr__(self, "forget", _canonical(forget, self.task, source))
        if self.draw and not self.drawn:
            raise InvalidScenario(
                f"task '{self.task}' forgets '{self.forget}', which is the same in every draw; only a number "
                "of images (task 'random') or of people (task 'identities') has several draws"
            )

    @property
    def key(self) -> str:
        """A readable key, see `scenario_key`."""
        return scenario_key(self.dataset, self.model, self.task, self.forget, self.seed, self.draw)

    @property
    def drawn(self) -> bool:
        """Whether the forget set is a random sample, which has other draws."""
        return forgets_images(self.task) and _is_number(self.forget.partition(OF)[0])

    @property
    def source(self) -> DataSource:
        return datasets.get(self.dataset)

    @property
    def level(self) -> Literal["class", "superclass"]:
        """Whether the model predicts the data set's classes or its superclasses."""
        return "superclass" if self.task == "sub_class" else self.source.predicts

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the model predicts, in the order of its outputs."""
        return self.source.names(self.level)

    @property
    def forget_labels(self) -> tuple[int, ...]:
        """Labels (indices into `classes`) of the forget set; empty if single images are forgotten."""
        if forgets_images(self.task):
            return ()
        if self.task == "sub_class":
            fine = [self.source.classes.index(name) for name in self._names()]
            return tuple(sorted({int(label) for label in self.source.superclass_of[fine]}))
        return tuple(sorted(self.classes.index(name) for name in self._names()))

    @property
    def requests(self) -> tuple[Scenario, ...]:
        """The successive requests: several for a `sequence`, otherwise only this scenario."""
        if self.task != "sequence":
            return (self,)
        return tuple(replace(self, task="full_class", forget=part) for part in self.forget.split(THEN))

    @property
    def steps(self) -> tuple[Scenario, ...]:
        """The forget sets after each request: that request and all before it."""
        if self.task != "sequence":
            return (self,)
        parts = self.forget.split(THEN)
        joined = [SEPARATOR.join(parts[: i + 1]) for i in range(len(parts))]
        return tuple(replace(self, task="full_class", forget=forget) for forget in joined)

    def split(self, data: Dataset) -> Split:
        """The index sets of this scenario, for a sequence after its last request."""
        if self.images:
            return named(data, self.images)
        if self.task == "random":
            return drawn(data, int(self.forget), self._sampling())
        if self.task == "identities":
            chosen = self._people(data)
            return where(data, lambda images: np.isin(images.identity, chosen))  # type: ignore[arg-type]
        level = "class" if self.task == "sub_class" else self.source.predicts
        names = self.source.names(level)
        wanted = [names.index(name) for name in self._names()]
        return where(data, lambda images: np.isin(self.source.labels(images.y, level), wanted))

    def describe(self) -> dict[str, str | int | tuple[int, ...]]:
        """The scenario as plain values."""
        return asdict(self)

    def _names(self) -> list[str]:
        return self.forget.replace(THEN, SEPARATOR).split(SEPARATOR)

    def _people(self, data: Dataset) -> np.ndarray:
        """Indices of the people to forget; a number of them is drawn among those with training images.

        People of some classes are those without training images of other classes, so that all images of a
        person are forgotten, and only images of these classes.
        """
        count, _, classes = self.forget.partition(OF)
        if not _is_number(count):
            return np.array([self.source.identities.index(name) for name in self._names()])
        identity: np.ndarray = data.train.identity  # type: ignore[assignment]
        people = drawable = np.unique(identity)
        if classes:
            names = self.classes
            wanted = [names.index(name) for name in classes.split(SEPARATOR)]
            labels = self.source.labels(data.train.y, self.level)
            drawable = np.setdiff1d(people, identity[~np.isin(labels, wanted)])
        most = min(len(drawable), len(people) - 1)
        if int(count) > most:
            whose = f"with training images of {classes} alone" if classes else "with training images"
            raise InvalidScenario(
                f"'{self.dataset}' has {len(drawable)} people {whose}; forget at most {most} of them, "
                f"not {count}"
            )
        return self._sampling().choice(drawable, size=int(count), replace=False)

    def _sampling(self) -> np.random.Generator:
        """The generator that draws the forget set."""
        # NumPy pads with zeros, so draw 0 is the sample of versions without draws
        return np.random.default_rng([self.seed, int(self.forget.partition(OF)[0]), self.draw])


def _whole(name: str, value: object) -> int:
    """A seed or the number of a draw.

    Raises:
        InvalidScenario: if it is not a whole number, or too large.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST_SEED:
        raise InvalidScenario(f"'{name}' must be a whole number from 0 to {LARGEST_SEED}, not {value!r}")
    return number


def _check_task(task: str, source: DataSource) -> None:
    """Raise InvalidScenario if a data set lacks something that a task needs."""
    needs = {"sub_class": "superclasses", "identities": "identities"}.get(task)
    if needs and not getattr(source, needs):
        have = [d.name for d in datasets if getattr(d, needs)]
        raise InvalidScenario(
            f"task '{task}' needs {needs}, which '{source.name}' does not have; "
            f"data sets that have them: {', '.join(have) or 'none'}"
        )


def _canonical(forget: str, task: str, source: DataSource) -> str:
    """The forget set of a task in canonical form.

    Raises:
        InvalidScenario: with the valid values.
    """
    if task == "random":
        count = _count(forget, source.train_size - validation_size(source))
        if count is None:
            raise InvalidScenario(
                "task 'random' forgets a number of training images between 1 and "
                f"{source.train_size - validation_size(source) - 1}, or a share such as 10%, not '{forget}'; "
                "'file:PATH' reads them from a file"
            )
        return str(count)
    if task == "identities":
        return _canonical_people(forget, source)
    names = source.names("class" if task == "sub_class" else source.predicts)
    if task != "sequence":
        return _classes(forget, names, source.name)
    requests = [_classes(request, names, source.name) for request in forget.split(THEN)]
    counts = Counter(SEPARATOR.join(requests).split(SEPARATOR))
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise InvalidScenario(f"the sequence '{forget}' forgets '{twice[0]}' twice; leave one out")
    if len(requests) < 2:
        raise InvalidScenario(
            f"task 'sequence' needs requests joined by '{THEN}', such as "
            f"{THEN.join(names[:2])}; for a single one use task 'full_class'"
        )
    _classes(SEPARATOR.join(counts), names, source.name)
    return THEN.join(requests)


def _named_images(forget: str, given: tuple[int, ...], task: str, source: DataSource) -> tuple[int, ...]:
    """The training images that a file lists, or that are given in its place."""
    if task != "random":
        raise InvalidScenario(
            f"task '{task}' does not forget single images; only task 'random' takes '{forget}'"
        )
    return checked(given, source) if given else read(forget, source)


def _canonical_people(forget: str, source: DataSource) -> str:
    """Names of people, or a number of them with the classes that they are drawn from, if any."""
    amount, of, classes = (part.strip() for part in forget.partition(OF))
    if not (_is_number(amount) or amount.endswith("%")):
        return _classes(forget, source.identities, source.name)
    if amount.endswith("%") and source.trained_people is None:
        raise InvalidScenario(
            f"how many people of '{source.name}' have training images is not known before its files are "
            f"read; forget a number of people, not '{forget}'"
        )
    people = source.trained_people or len(source.identities)
    count = _count(amount, people)
    if count is None:
        raise InvalidScenario(
            f"'{source.name}' has {people} people with training images; forget between 1 and {people - 1} of "
            f"them, a share such as 2%, either of them 'of CLASS+CLASS', or names, not '{forget}'"
        )
    if not of:
        return str(count)
    return f"{count}{OF}{_classes(classes, source.names(source.predicts), source.name)}"


def _classes(forget: str, names: tuple[str, ...], dataset: str) -> str:
    """Some classes, in their order, each once."""
    known = _known(names)
    chosen = {known.find(part.strip(), dataset) for part in forget.split(SEPARATOR)}
    if len(chosen) >= len(names):
        raise InvalidScenario(
            f"forgetting '{forget}' leaves no class of '{dataset}' to retain; leave one out"
        )
    return SEPARATOR.join(names[i] for i in sorted(chosen))


@dataclass(frozen=True)
class _Known:
    """The classes of a forget set by name and number.

    Attributes:
        by_name: Index of each, by its name in composed Unicode.
        by_number: Index of each class whose name is a number, by that number.
    """

    names: tuple[str, ...]
    by_name: Mapping[str, int]
    by_number: Mapping[int, int]

    def find(self, part: str, dataset: str) -> int:
        """Index of a class by its name or, if that is unambiguous, by its index."""
        position = self.by_name.get(unicodedata.normalize("NFC", part))
        if position is not None:
            return position
        if not (_is_number(part) and int(part) < len(self.names)):
            raise InvalidScenario(f"'{dataset}' has no class '{part}'; {suggest(part, self.names)}")
        index = int(part)
        alike = self.by_number.get(index)
        if alike is not None and alike != index:
            raise InvalidScenario(
                f"'{part}' could mean the class '{self.names[alike]}' of '{dataset}' or its class at index "
                f"{index}, '{self.names[index]}'; write one of these names"
            )
        if alike is None and len(self.by_number) == len(self.names):
            raise InvalidScenario(
                f"'{dataset}' has no class '{part}', and its classes are numbers themselves; if the class at "
                f"index {index} is meant, write '{self.names[index]}'; {suggest(part, self.names)}"
            )
        return index


@lru_cache(maxsize=16)
def _known(names: tuple[str, ...]) -> _Known:
    by_number = {int(name): i for i, name in enumerate(names) if _is_number(name)}
    return _Known(names, {unicodedata.normalize("NFC", name): i for i, name in enumerate(names)}, by_number)


def _count(text: str, whole: int) -> int | None:
    """A number, or a share of the total in percent, below the total; None for any other text."""
    try:
        number = round(whole * float(text[:-1]) / 100) if text.endswith("%") else int(text)
    except (ValueError, OverflowError):
        return None
    return number if _is_number(str(number)) and 0 < number < whole else None


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 16
