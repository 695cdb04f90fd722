"""The models that a run needs: trained in parallel or read from the cache, and packed for the workers."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.datasets import load, provide
from benchmarks.scenarios.roles import role_name
from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.cache import arrays_of
from benchmarks.training.recipes import Recipe
from benchmarks.trial.cached_scenarios import CachedScenario, cached_scenario
from cluster.addresses import LOCAL
from cluster.slots import Slots
from cluster.tasks import Notify, in_parallel, on_gpus, share, shared
from search.display.board import Board
from search.engine.cores import use_cores

if TYPE_CHECKING:
    import torch
    from rich.console import Console

    from benchmarks.training.cache import CachedModel, Stored
    from benchmarks.trial.packed import Packed
    from benchmarks.weights.checkpoint import Checkpoint, Preprocessing

_CHANCE = 1.1  # times the share of a class: the test accuracy of a model that has learned nothing
_Role = Literal["original", "user", "retrained", "user_retrained", "recorded"]


@dataclass(frozen=True)
class UserModels:
    """Models of the user, which replace models that would be trained here."""

    original: CachedModel | None = None
    retrained: CachedModel | None = None

    @property
    def preprocessing(self) -> Preprocessing | None:
        return self.original.preprocessing if self.original else None


NO_USER_MODELS = UserModels()


@dataclass(frozen=True)
class Shared:
    """Scenarios with their models, by `Scenario.key`, and references to their data sets, by name."""

    packed: dict[str, Packed] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Needed:
    """A model that a run needs.

    Attributes:
        role: "original", "user" (the user's model in place of the original), "retrained", "user_retrained" or
            "recorded" (the steps of the original's training).
        reference: Index of the retrained model, from 0.
    """

    role: _Role
    scenario: Scenario
    reference: int = 0

    @property
    def name(self) -> str:
        """The model's name in messages."""
        if self.role == "user":
            return "your checkpoint"
        if self.role == "user_retrained":
            return f"your model without {self.scenario.forget}"
        return role_name(self.role, self.scenario, self.reference)

    def id(self, recipe: Recipe, preprocessing: Preprocessing | None) -> str | None:
        """Its name in the model cache; None for the user's models."""
        from benchmarks.training.model_ids import model_id

        if self.role == "user" or self.role == "user_retrained":
            return None
        return model_id(self.role, self.scenario, recipe, preprocessing, self.reference)


@dataclass(frozen=True)
class Trained:
    """A model that a run needed: trained for it, read from the cache, or the user's.

    Attributes:
        epochs: Epochs of the recipe.
        report: The figures of the model cache: test accuracy and, if the model was trained here, the epoch
            that was kept and the seconds.
        from_cache: Whether the cache already had it.
    """

    needed: Needed
    epochs: int
    report: dict[str, Any]
    from_cache: bool = False

    @property
    def name(self) -> str:
        return self.needed.name

    def __str__(self) -> str:
        s, report = self.needed.scenario, self.report
        parts = []
        if "steps" in report:
            parts.append(f"{report['steps']} training steps")
        if "test_acc" in report:
            learned = report["test_acc"] > _CHANCE * 100 / len(s.classes)
            parts.append(f"test accuracy {report['test_acc']:.1f} %{'' if learned else ', which is chance'}")
            if "seconds" in report:
                parts.append(f"best of {self.epochs} epochs was {report['best_epoch']}")
        if self.from_cache:
            parts.append("from the cache")
        elif "seconds" in report:
            parts.append(f"trained in {report['seconds']:.1f} s")
        return f"{s.model} on {s.dataset}, {self.name}: {', '.join(parts)}"


def prepare(
    scenarios: Iterable[Scenario],
    recipe: Recipe,
    eval_limit: int | None,
    slots: Slots,
    report: Callable[[Trained], None],
    *,
    console: Console | None = None,
    record: bool = False,
    keep_retrained: bool = False,
    references: int = 1,
    user_models: UserModels = NO_USER_MODELS,
    warn: Notify = lambda line: None,
) -> Shared:
    """Train the models that are not in the cache, in parallel; evaluate the original and the retrained ones.

    Args:
        report: Called for every model, trained now or read from the cache.
        console: Shows the progress; None to show nothing.
        record: Also record the training steps of every forget set, in one more training each.
        keep_retrained: Also send the retrained models' weights to the workers.
        references: Number of retrained models of each scenario.
        user_models: Models to use in place of trained ones.
        warn: Receives a line for every sign that a user's model is not the expected one.

    Raises:
        GpusGone: if the cluster's machines with GPUs leave meanwhile.
    """
    wanted = distinct(scenarios)
    data = {name: share(load(name)) for name in sorted({s.dataset for s in wanted})}
    gpus = on_gpus(slots)
    device = slots.device if gpus else "cpu"
    training = models_of(wanted, originals(wanted), user_models, record, references)
    if user_models.original is None:
        cached = _all_cached(
            wanted, recipe, eval_limit, device, slots.cpus, record, keep_retrained, references
        )
        if cached:
            for model in training:
                figures = cached[model.scenario.key].reports[model.role, model.reference]  # type: ignore[index]
                report(Trained(model, recipe.epochs, figures, from_cache=True))
            return Shared(_together(entry.packed for entry in cached.values()), data)
    common = _Common(recipe, slots.cpus, device, data, _cache_identity(), user_models)
    sent = {} if slots.address == LOCAL else _sent(training, recipe, user_models.preprocessing)
    jobs = [_Training(common, model, sent) for model in training]
    with Board("preparing models", len(jobs), console) as board:
        for job, trained in in_parallel(_train, jobs, slots, partial(_hear, board), gpus):
            board.done(job.name)
            if trained.model is not None:
                _keep(trained.model)
                sent = {**sent, trained.id: share(trained.model)}
            report(Trained(job.model, recipe.epochs, trained.report, trained.from_cache))
            for line in trained.warnings:
                warn(line)
    packing = [_Packing(common, s, eval_limit, record, keep_retrained, references, sent) for s in wanted]
    packed: list[Packed] = []
    with Board("evaluating models", len(packing), console) as board:
        for work, (result, warnings) in in_parallel(_pack, packing, slots, partial(_hear, board), gpus):
            board.done(work.name)
            packed.append(result)
            for line in warnings:
                warn(line)
    return Shared(_together(packed), data)


def _all_cached(
    scenarios: Sequence[Scenario],
    recipe: Recipe,
    eval_limit: int | None,
    device: str,
    threads: int,
    record: bool,
    keep_retrained: bool,
    references: int,
) -> dict[str, CachedScenario]:
    """Every scenario by its key; empty if a scenario needs a worker to be prepared."""
    ready: dict[str, CachedScenario] = {}
    read = lru_cache(maxsize=4)(arrays_of)  # originals alternate with retrained models
    for s in scenarios:
        cached = cached_scenario(
            s,
            recipe,
            eval_limit,
            device=device,
            threads=threads,
            record=record,
            keep_retrained=keep_retrained,
            references=references,
            read=read,
        )
        if cached is None:
            return {}
        ready[s.key] = cached
    return ready


def _together(packed: Iterable[Packed]) -> dict[str, Packed]:
    """Scenarios by key; scenarios of an original model share its weights, which a worker gets once."""
    known: dict[str, Any] = {}
    return {
        entry.scenario.key: _with_original(entry, known.setdefault(entry.original_id, entry.original))
        for entry in packed
    }


def _hear(board: Board, job: _Training | _Packing, line: str) -> None:
    board.hear(job.name, line)


def _with_original(packed: Packed, weights: Any) -> Packed:
    """The scenario with weights that it shares with other scenarios."""
    steps = tuple(_with_original(step, weights) for step in packed.steps)
    return replace(packed, original=weights, steps=steps)


def models_of(
    scenarios: Sequence[Scenario],
    firsts: Sequence[Scenario],
    user_models: UserModels,
    record: bool,
    references: int,
) -> list[Needed]:
    """The models that distinct scenarios need.

    Args:
        firsts: A scenario for each original model.
        record: Whether to add the recorded steps of every forget set.
        references: Number of retrained models of each scenario.
    """
    models = (
        [Needed("user", scenarios[0])] if user_models.original else [Needed("original", s) for s in firsts]
    )
    without: _Role = "user_retrained" if user_models.retrained else "retrained"
    steps = distinct(s for w in scenarios for s in w.steps)
    models += [Needed(without, s, i) for s in steps for i in range(references)]
    if record:
        models += [Needed("recorded", s) for s in distinct(s for w in scenarios for s in w.requests)]
    return models


def originals(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """A scenario for each original model, in the order of their seeds.

    An original model is trained on all the images that its forget file lists.
    """
    models: dict[tuple[int, bytes], Scenario] = {}
    for s in scenarios:
        models.setdefault((s.seed, s.split(load(s.dataset)).train.tobytes()), s)
    return sorted(models.values(), key=lambda s: s.seed)


def distinct(scenarios: Iterable[Scenario]) -> list[Scenario]:
    return list({scenario.key: scenario for scenario in scenarios}.values())


def load_user_models(
    original: Checkpoint | None, retrained: Checkpoint | None, scenarios: Sequence[Scenario], notify: Notify
) -> UserModels:
    """The user's models, read and checked for the network of the scenarios; empty without checkpoints.

    Args:
        notify: Receives a line about each change of the weights that makes them fit.

    Raises:
        DataError: for weights that do not fit, with their file.
    """
    if original is None or not scenarios:
        return NO_USER_MODELS
    from benchmarks.training.models import user_model

    models = [user_model(scenarios[0], given, notify) if given else None for given in (original, retrained)]
    return UserModels(*models)


def _sent(training: Iterable[Needed], recipe: Recipe, preprocessing: Preprocessing | None) -> dict[str, Any]:
    """References to the models in this machine's cache, for machines with other caches."""
    from benchmarks.training.cache import stored

    names = filter(None, (model.id(recipe, preprocessing) for model in training))
    models = {name: stored(name) for name in names}
    return {name: share(model) for name, model in models.items() if model is not None}


def _keep(model: Stored) -> None:
    from benchmarks.training.cache import store

    store(model)


@dataclass(frozen=True)
class _Common:
    """The settings that all jobs of a preparation share.

    Attributes:
        data: Name -> reference to a data set.
        cache: Identity of the driver's model cache, see `_cache_identity`.
    """

    recipe: Recipe
    cpus: int
    device: str
    data: dict[str, Any]
    cache: tuple[str, int, int]
    user_models: UserModels

    def start(self, scenario: Scenario, models: dict[str, Any]) -> Any:
        """Prepare this process for a scenario, with its data and the driver's models; returns the device."""
        import torch

        use_cores(self.cpus)
        provide(shared(self.data[scenario.dataset]))
        if _cache_identity() != self.cache:
            for model in models.values():
                _keep(shared(model))
        return torch.device(self.device)


@dataclass(frozen=True)
class _Training:
    common: _Common
    model: Needed
    models: dict[str, Any]

    @property
    def name(self) -> str:
        return self.model.name


@dataclass(frozen=True)
class _Packing:
    common: _Common
    scenario: Scenario
    eval_limit: int | None
    record: bool
    keep_retrained: bool
    references: int
    models: dict[str, Any]

    @property
    def name(self) -> str:
        return self.scenario.key


@dataclass(frozen=True)
class _TrainingResult:
    """The result of a training job, with the model itself if the driver uses another model cache."""

    id: str
    report: dict[str, Any]
    model: Stored | None = None
    from_cache: bool = False
    warnings: tuple[str, ...] = ()


def _train(job: _Training, notify: Notify) -> _TrainingResult:
    notify(f"{job.name}: reading the data")
    from benchmarks.training.cache import stored
    from benchmarks.training.models import TRAINED, retrained_model

    common, role, scenario = job.common, job.model.role, job.model.scenario
    device = common.start(scenario, job.models)
    if role == "user" or role == "user_retrained":
        notify(f"{job.name}: evaluating")
        return _judged(job, device)
    if role == "retrained":
        preprocessing = common.user_models.preprocessing
        model = retrained_model(scenario, common.recipe, device, notify, preprocessing, job.model.reference)
    else:
        model = TRAINED[role](scenario, common.recipe, device, notify)
    same_cache = _cache_identity() == common.cache
    return _TrainingResult(model.id, model.report, None if same_cache else stored(model.id), model.from_cache)


def _judged(job: _Training, device: torch.device) -> _TrainingResult:
    """The test accuracy of a user's model."""
    from benchmarks.training.models import test_predictions
    from benchmarks.trial.sanity import near_chance

    scenario, original = job.model.scenario, job.model.role == "user"
    model = job.common.user_models.original if original else job.common.user_models.retrained
    assert model is not None
    test = test_predictions("original" if original else "retrained", scenario, model, device)
    warning = near_chance(test, scenario.classes) if original else None
    return _TrainingResult(
        model.id,
        {"test_acc": 100 * float(test.correct.mean())},
        warnings=(warning,) if warning else (),
    )


def _pack(job: _Packing, notify: Notify) -> tuple[Packed, tuple[str, ...]]:
    notify(f"{job.scenario.forget}: reading the data")
    from benchmarks.trial.prepared import prepare as prepare_scenario
    from benchmarks.trial.sanity import compared

    ready = prepare_scenario(
        job.scenario,
        recipe=job.common.recipe,
        eval_limit=job.eval_limit,
        record=job.record,
        keep_retrained=job.keep_retrained,
        references=job.references,
        original=job.common.user_models.original,
        retrained=job.common.user_models.retrained,
        device=job.common.start(job.scenario, job.models),
        progress=notify,
    )
    if job.common.user_models.original is None:
        return ready.packed, ()
    return ready.packed, tuple(compared(ready.references("validation"), ready.references("test")))


def _cache_identity() -> tuple[str, int, int]:
    """The identity of this process's model cache: machine, device and inode of its folder."""
    from benchmarks.training.cache import model_folder

    folder = model_folder()
    folder.mkdir(parents=True, exist_ok=True)
    status = folder.stat()
    return platform.node(), status.st_dev, status.st_ino
