"""Values that do not depend on searched hyper-parameters: computed once for many trials, with their cost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import nn

from benchmarks.training.reproducible import seeded
from benchmarks.trial.meter import Meter, Spent

if TYPE_CHECKING:
    from benchmarks.images import ImageSet

T = TypeVar("T")
_PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Key:
    """Everything that determines a shared value, as text.

    Attributes:
        method, name: The method and the name of its value.
        depends_on: The options that it depends on.
        of: The model and the images that it is computed from.
        seed: The shared seed, which decides its random draws.
        computed_as: Precision, device and number of threads, which affect the rounding of sums.
        scenario: The key of its scenario; "" for a value of the model.
    """

    method: str
    name: str
    depends_on: str
    of: str
    seed: int
    computed_as: str
    scenario: str = ""

    @property
    def digest(self) -> str:
        """A digest of the whole key, 32 hex digits."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Work:
    """A value, and the cost of computing it."""

    value: Any
    spent: Spent


class Works:
    """Shared values of a process, for successive trials.

    They are kept as long as this object exists. Values are identified by the method's name: use a new object
    after a change of a method's code.
    """

    def __init__(self) -> None:
        self.known: dict[Key, Work] = {}

    def get(self, key: Key, compute: Callable[[], Work], device: torch.device) -> tuple[Work, bool]:
        """The value of a key on a device, and whether it existed before."""
        reused = key in self.known
        if not reused:
            self.known[key] = compute()
        return self.known[key], reused

    def drop(self, key: Key) -> None:
        """Remove a value that was changed."""
        self.known.pop(key, None)


def generator(
    seed: int, method: str, name: str, depends_on: tuple[Any, ...], device: torch.device | str = "cpu"
) -> torch.Generator:
    """The random generator for a shared value."""
    return torch.Generator(device).manual_seed(_seed(seed, method, name, depends_on))


@dataclass
class SharedWork:
    """The shared values of one trial.

    Attributes:
        seed: The shared seed.
        works: The values that other trials have computed; None: all values are computed.
        scenario: The scenario's key.
        of_scenario, of_training: Ids of the model with the scenario, and of the model alone.
        model: The network to unlearn; after it has changed, values can no longer be computed from it.
    """

    method: str
    meter: Meter
    seed: int = 0
    works: Works | None = None
    scenario: str = ""
    of_scenario: str = ""
    of_training: str = ""
    computed_as: str = ""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    model: nn.Module | None = None
    _handed: list[tuple[Key, list[tuple[torch.Tensor, int]]]] = field(default_factory=list)
    _computing: str = ""
    _model_version: int = 0

    def __post_init__(self) -> None:
        self._model_version = self._version()

    def by_scenario(
        self, name: str, compute: Callable[[torch.Generator], T], depends_on: tuple[Any, ...]
    ) -> T:
        """A value of the original model and the scenario."""
        return self._value(name, compute, depends_on, self.of_scenario, self.scenario)

    def by_model(
        self,
        name: str,
        compute: Callable[[ImageSet, torch.Generator], T],
        depends_on: tuple[Any, ...],
        images: ImageSet,
    ) -> T:
        """A value of the original model and all of its training images."""
        of = ""
        if self.works is not None:
            digest = hashlib.sha256()
            for part in (images.index, images.labels):
                digest.update(part.cpu().numpy().tobytes())
            of = f"{self.of_training} {digest.hexdigest()[:32]}"
        return self._value(name, lambda rng: compute(images, rng), depends_on, of, "")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A context that raises an error if a method changes a shared value, and removes that value."""
        try:
            yield
        finally:
            changed = [key for key, parts in self._handed if any(tensor._version != v for tensor, v in parts)]
            self._handed = []
            for key in changed:
                if self.works is not None:
                    self.works.drop(key)
        if changed:
            raise RuntimeError(
                f"it changed the shared value '{changed[0].name}' in place, which other trials use; "
                "change a copy of it (`.clone()`)"
            )

    def _value(
        self,
        name: str,
        compute: Callable[[torch.Generator], T],
        depends_on: tuple[Any, ...],
        of: str,
        scenario: str,
    ) -> T:
        _check(name, depends_on)
        if self._computing:
            raise RuntimeError(
                f"'{name}' is requested while '{self._computing}' is computed; compute it before"
            )
        if self._version() != self._model_version:
            raise RuntimeError(
                f"the shared value '{name}' is requested after the model has changed; request it before"
            )
        key = Key(self.method, name, repr(depends_on), of, self.seed, self.computed_as, scenario)

        def work() -> Work:
            seed = _seed(self.seed, self.method, name, depends_on)
            rng = torch.Generator(self.device).manual_seed(seed)
            self._computing = name
            try:
                with seeded(seed):
                    value, spent = self.meter.apart(lambda: compute(rng))
            finally:
                self._computing = ""
                self._model_version = self._version()
            return Work(_kept(value, name), spent)

        with self.meter.paused():
            if self.works is None:
                made, reused = work(), False
            else:
                made, reused = self.works.get(key, work, self.device)
        self.meter.add(made.spent, reused)
        self._handed.append((key, [(tensor, tensor._version) for tensor in tensors(made.value)]))
        return cast(T, made.value)

    def _version(self) -> int:
        """A number that increases with every inplace change of the model."""
        if self.model is None:
            return 0
        parts = (*self.model.parameters(), *self.model.buffers())
        return sum(p._version for p in parts if not p.is_inference())


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """All tensors of a value, in its order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors(part)


def _kept(value: Any, name: str) -> Any:
    """A copy of a value, with the memory layout that it has after sending it to another process.

    Raises:
        TypeError: for anything but tensors and plain values in dicts, tuples and lists.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().clone(memory_format=torch.contiguous_format)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return {_plain_name(key, name): _kept(part, name) for key, part in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_kept(part, name) for part in value)
    raise TypeError(
        f"the shared value '{name}' contains a {type(value).__name__}; return tensors, numbers and text, in "
        "dicts, tuples and lists"
    )


def _plain_name(key: Any, name: str) -> str | int:
    if isinstance(key, (str, int)):
        return key
    raise TypeError(f"the shared value '{name}' has a {type(key).__name__} as a key; use text or integers")


def _check(name: str, depends_on: Any) -> None:
    """Raise TypeError unless all dependencies of a value are plain values."""
    for part in depends_on:
        if type(part) is tuple:
            _check(name, part)
        elif type(part) not in _PLAIN:
            raise TypeError(
                f"the shared value '{name}' depends on a {type(part).__name__}; give the numbers, text or "
                "tuples of them that decide it"
            )


def _seed(seed: int, method: str, name: str, depends_on: tuple[Any, ...]) -> int:
    """A seed of 63 bits that belongs to one shared value."""
    text = repr((seed, method, name, depends_on))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
