"""The definition of an unlearning method: access, hyper-parameters, published values, algorithm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from benchmarks.access import Access, TrialData
from benchmarks.errors import InvalidScenario
from benchmarks.presets import Preset
from benchmarks.registry import Registry
from benchmarks.scenarios.scenario import METHOD_TASKS, method_task

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class NoParams:
    """The hyper-parameters of a method that has none."""


class Method(ABC):
    """Base of all methods. A subclass sets the class attributes and implements `unlearn`.

    Attributes:
        name: The registered name, as in the results table.
        summary: One line.
        source: Paper and equation or algorithm.
        access: The training data that it may see; reading more raises AccessDenied.
        tasks: The tasks it is defined for; `identities` is run as `random`, `sequence` as `full_class`.
        Params: Frozen dataclass of hyper-parameters, declared with `param` and `option`.
        presets: Published values.
        reference: Whether it only marks a bound (original, retrain) and has nothing to tune.
        needs_recording: Whether the original's training must have recorded its steps.
        shares_work: Whether it computes values that the trials of a search share, see `TrialData.once`.
        kept: The values per model, dicts of tensors, that `unlearn prepare` stores with the model.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    access: ClassVar[Access]
    tasks: ClassVar[tuple[str, ...]] = METHOD_TASKS
    Params: ClassVar[type] = NoParams
    presets: ClassVar[tuple[Preset, ...]] = ()
    reference: ClassVar[bool] = False
    needs_recording: ClassVar[bool] = False
    shares_work: ClassVar[bool] = False
    kept: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def unlearn(self, model: nn.Module, data: TrialData, params: Any, rng: torch.Generator) -> nn.Module:
        """Return the unlearned model.

        Args:
            model: A copy of the original model in eval mode, which the method may change.
            data: The training data that the declared access allows.
            params: An instance of `Params`.
            rng: The only source of randomness, on the model's device. (Torch's global state is seeded too,
                for dropout and initialisation.)
        """

    def access_with(self, params: Any) -> Access:
        """The access with these hyper-parameters; more than `access` only if an option declares it."""
        return self.access

    def preset(self, name: str) -> Preset:
        """The preset of that name.

        Raises:
            UnknownName: with the nearest names.
        """
        from benchmarks.errors import UnknownName

        for preset in self.presets:
            if preset.name == name:
                return preset
        raise UnknownName(f"preset of {self.name}", name, [p.name for p in self.presets])

    def check_task(self, task: str) -> None:
        """Raise InvalidScenario if the method is not defined for a task."""
        if method_task(task) not in self.tasks:
            raise InvalidScenario(
                f"method '{self.name}' is not defined for task '{task}', only for "
                f"{' and '.join(self.tasks)}; leave one of the two out"
            )


methods: Registry[Method] = Registry("method", "benchmarks.methods")

M = TypeVar("M", bound=type[Method])


def register(method: M) -> M:
    """Class decorator: register one instance of a method under its name."""
    methods.add(method())
    return method
