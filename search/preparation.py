"""The models that a run needs: trained in parallel, or found in the cache, and packed for the workers."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.datasets import load, provide
from benchmarks.scenarios import Scenario
from benchmarks.training import Recipe
from cluster.connect import LOCAL, Slots
from cluster.tasks import in_parallel, on_gpus, share, shared

if TYPE_CHECKING:
    from benchmarks.cache import CachedModel, Stored
    from benchmarks.prepared import Packed

_Role = Literal["original", "own", "retrained", "recorded"]


@dataclass(frozen=True)
class Shared:
    """Scenarios with their models, by `Scenario.key`, and references to their data sets, by name."""

    packed: dict[str, Packed] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A model that a run needs: trained for it, found in the cache, or the user's own.

    Attributes:
        role: "original", "own" (the user's, in its place), "retrained" or "recorded" (the steps of the
            original's training).
        epochs: Epochs of the recipe.
        report: What the model cache says of it: test accuracy and, if it was trained here, the epoch that
            was kept and the seconds.
    """

    scenario: Scenario
    role: str
    epochs: int
    report: dict[str, Any]

    @property
    def name(self) -> str:
        forget = self.scenario.forget
        names = {
            "own": "your checkpoint",
            "retrained": f"retrained without {forget}",
            "recorded": f"recorded steps of {forget}",
        }
        return names.get(self.role, self.role)

    def __str__(self) -> str:
        s, found = self.scenario, self.report
        parts = []
        if "steps" in found:
            parts.append(f"{found['steps']} training steps")
        if "test_acc" in found:
            parts.append(f"test accuracy {found['test_acc']:.1f} %")
            if "seconds" in found:
                parts.append(f"best of {self.epochs} epochs was {found['best_epoch']}")
        if "seconds" in found:
            parts.append(f"trained in {found['seconds']:.1f} s")
        return f"{s.model} on {s.dataset}, {self.name}: {', '.join(parts)}"


def prepare(
    scenarios: Iterable[Scenario],
    recipe: Recipe,
    eval_limit: int | None,
    slots: Slots,
    tell: Callable[[Trained], None],
    *,
    record: bool = False,
    keep_retrained: bool = False,
    own: CachedModel | None = None,
) -> Shared:
    """Train what is not in the model cache, in parallel, and evaluate the original and retrained models.

    Args:
        tell: Called for every model, trained now or found in the cache.
        record: Also record the training steps of every forget set, in one more training each.
        keep_retrained: Also send the retrained models' weights to the workers.
        own: A trained model to use in place of an original one that is trained here.
    """
    wanted = _distinct(scenarios)
    data = {name: share(load(name)) for name in {s.dataset for s in wanted}}
    device = slots.device if on_gpus(slots) else "cpu"
    common = _Common(recipe, slots.cpus, device, data, _cache_place(), own)
    training: list[tuple[_Role, Scenario]] = [("own" if own else "original", wanted[0])]
    training += [("retrained", s) for s in _distinct(s for w in wanted for s in w.steps)]
    if record:
        training += [("recorded", s) for s in _distinct(s for w in wanted for s in w.requests)]
    sent = {} if slots.address == LOCAL else _sent(training, recipe)
    for job, trained in in_parallel(_train, [_Training(common, *what, sent) for what in training], slots):
        if trained.elsewhere is not None:
            _keep(trained.elsewhere)
            sent = {**sent, trained.id: share(trained.elsewhere)}
        tell(Trained(job.scenario, job.role, recipe.epochs, trained.report))
    packing = [_Packing(common, s, eval_limit, record, keep_retrained, sent) for s in wanted]
    packed = {job.scenario.key: result for job, result in in_parallel(_pack, packing, slots)}
    return Shared(packed, data)


def _distinct(scenarios: Iterable[Scenario]) -> list[Scenario]:
    return list({scenario.key: scenario for scenario in scenarios}.values())


def _sent(training: Iterable[tuple[_Role, Scenario]], recipe: Recipe) -> dict[str, Any]:
    """References to those models that are in the cache here, for machines with caches of their own."""
    from benchmarks.cache import stored
    from benchmarks.trained import model_id

    names = [model_id(role, scenario, recipe) for role, scenario in training if role != "own"]
    found = {name: stored(name) for name in names}
    return {name: share(model) for name, model in found.items() if model is not None}


def _keep(model: Stored) -> None:
    from benchmarks.cache import store

    store(model)


@dataclass(frozen=True)
class _Common:
    """What all jobs of a preparation know.

    Attributes:
        data: Name -> reference to a data set.
        cache: Which folder the driver's model cache is.
    """

    recipe: Recipe
    cpus: int
    device: str
    data: dict[str, Any]
    cache: tuple[str, int, int]
    own: CachedModel | None

    def start(self, scenario: Scenario, models: dict[str, Any]) -> Any:
        """Make this process ready for a scenario: its data, models known elsewhere; the device to use."""
        import torch

        torch.set_num_threads(self.cpus)
        provide(shared(self.data[scenario.dataset]))
        if _cache_place() != self.cache:
            for model in models.values():
                _keep(shared(model))
        return torch.device(self.device)


@dataclass(frozen=True)
class _Training:
    common: _Common
    role: _Role
    scenario: Scenario
    models: dict[str, Any]


@dataclass(frozen=True)
class _Packing:
    common: _Common
    scenario: Scenario
    eval_limit: int | None
    record: bool
    keep_retrained: bool
    models: dict[str, Any]


@dataclass(frozen=True)
class _TrainedThere:
    """What a training job tells; the model itself if the driver does not see the folder it lies in."""

    id: str
    report: dict[str, Any]
    elsewhere: Stored | None = None


def _train(job: _Training) -> _TrainedThere:
    from benchmarks.cache import stored
    from benchmarks.trained import TRAINED, test_accuracy

    common = job.common
    device = common.start(job.scenario, job.models)
    if job.role == "own":
        assert common.own is not None
        return _TrainedThere("", {"test_acc": test_accuracy(job.scenario, common.own, device)})
    model = TRAINED[job.role](job.scenario, common.recipe, device, lambda line: None)
    seen = _cache_place() == common.cache
    return _TrainedThere(model.id, model.report, None if seen else stored(model.id))


def _pack(job: _Packing) -> Packed:
    from benchmarks.prepared import prepare as prepare_one

    return prepare_one(
        job.scenario,
        recipe=job.common.recipe,
        eval_limit=job.eval_limit,
        record=job.record,
        keep_retrained=job.keep_retrained,
        original=job.common.own,
        device=job.common.start(job.scenario, job.models),
    ).packed


def _cache_place() -> tuple[str, int, int]:
    """Tells two model caches apart, on one machine or on two."""
    from benchmarks.cache import model_folder

    folder = model_folder()
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.stat()
    return platform.node(), found.st_dev, found.st_ino
