"""The models that a run needs: trained in parallel, or found in the cache, and packed for the workers."""

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
from cluster.tasks import Tell, in_parallel, on_gpus, share, shared
from search.display.board import Board

if TYPE_CHECKING:
    import torch
    from rich.console import Console

    from benchmarks.training.cache import CachedModel, Stored
    from benchmarks.trial.packed import Packed
    from benchmarks.weights.checkpoint import Checkpoint, Preprocessing

_Role = Literal["original", "own", "retrained", "own_retrained", "recorded"]


@dataclass(frozen=True)
class OwnModels:
    """The user's own models, where they take the place of models that are trained here."""

    original: CachedModel | None = None
    retrained: CachedModel | None = None

    @property
    def preprocessing(self) -> Preprocessing | None:
        return self.original.preprocessing if self.original else None


NONE = OwnModels()


@dataclass(frozen=True)
class Shared:
    """Scenarios with their models, by `Scenario.key`, and references to their data sets, by name."""

    packed: dict[str, Packed] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Needed:
    """A model that a run needs.

    Attributes:
        role: "original", "own" (the user's, in its place), "retrained", "own_retrained" or "recorded" (the
            steps of the original's training).
        reference: Which of several retrained models it is, from 0.
    """

    role: _Role
    scenario: Scenario
    reference: int = 0

    @property
    def name(self) -> str:
        """The model as people read it."""
        if self.role == "own":
            return "your checkpoint"
        if self.role == "own_retrained":
            return f"your model without {self.scenario.forget}"
        return role_name(self.role, self.scenario, self.reference)

    def id(self, recipe: Recipe, preprocessing: Preprocessing | None) -> str | None:
        """Its name in the model cache; None for the user's own."""
        from benchmarks.training.model_ids import model_id

        if self.role == "own" or self.role == "own_retrained":
            return None
        return model_id(self.role, self.scenario, recipe, preprocessing, self.reference)


@dataclass(frozen=True)
class Trained:
    """A model that a run needed: trained for it, found in the cache, or the user's own.

    Attributes:
        epochs: Epochs of the recipe.
        report: What the model cache says of it: test accuracy and, if it was trained here, the epoch that
            was kept and the seconds.
        from_cache: Whether it was there already.
    """

    needed: Needed
    epochs: int
    report: dict[str, Any]
    from_cache: bool = False

    @property
    def name(self) -> str:
        return self.needed.name

    def __str__(self) -> str:
        s, found = self.needed.scenario, self.report
        parts = []
        if "steps" in found:
            parts.append(f"{found['steps']} training steps")
        if "test_acc" in found:
            parts.append(f"test accuracy {found['test_acc']:.1f} %")
            if "seconds" in found:
                parts.append(f"best of {self.epochs} epochs was {found['best_epoch']}")
        if self.from_cache:
            parts.append("from the cache")
        elif "seconds" in found:
            parts.append(f"trained in {found['seconds']:.1f} s")
        return f"{s.model} on {s.dataset}, {self.name}: {', '.join(parts)}"


def prepare(
    scenarios: Iterable[Scenario],
    recipe: Recipe,
    eval_limit: int | None,
    slots: Slots,
    tell: Callable[[Trained], None],
    *,
    console: Console | None = None,
    record: bool = False,
    keep_retrained: bool = False,
    references: int = 1,
    own: OwnModels = NONE,
    warn: Tell = lambda line: None,
) -> Shared:
    """Train what is not in the model cache, in parallel, and evaluate the original and the retrained ones.

    Args:
        tell: Called for every model, trained now or found in the cache.
        console: Shows how far they are; None where nobody looks.
        record: Also record the training steps of every forget set, in one more training each.
        keep_retrained: Also send the retrained models' weights to the workers.
        references: How many retrained models each scenario is to have.
        own: Models to use in place of those that are trained here.
        warn: Called with a line for every sign that a model of the user's is not what it is taken for.

    Raises:
        GpusGone: when the cluster's machines with GPUs leave meanwhile.
    """
    wanted = distinct(scenarios)
    data = {name: share(load(name)) for name in sorted({s.dataset for s in wanted})}
    gpus = on_gpus(slots)
    device = slots.device if gpus else "cpu"
    training = models_of(wanted, originals(wanted), own, record, references)
    if own.original is None:
        cached = _all_cached(
            wanted, recipe, eval_limit, device, slots.cpus, record, keep_retrained, references
        )
        if cached:
            for model in training:
                report = cached[model.scenario.key].reports[model.role, model.reference]  # type: ignore[index]
                tell(Trained(model, recipe.epochs, report, from_cache=True))
            return Shared(_together(one.packed for one in cached.values()), data)
    common = _Common(recipe, slots.cpus, device, data, _cache_place(), own)
    sent = {} if slots.address == LOCAL else _sent(training, recipe, own.preprocessing)
    jobs = [_Training(common, model, sent) for model in training]
    with Board("preparing models", len(jobs), console) as board:
        for job, trained in in_parallel(_train, jobs, slots, partial(_hear, board), gpus):
            board.done(job.name)
            if trained.elsewhere is not None:
                _keep(trained.elsewhere)
                sent = {**sent, trained.id: share(trained.elsewhere)}
            tell(Trained(job.model, recipe.epochs, trained.report, trained.from_cache))
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
    """Every scenario, by its key, if none needs a worker to be prepared; else nothing."""
    ready: dict[str, CachedScenario] = {}
    read = lru_cache(maxsize=4)(arrays_of)  # the original, in turn with the retrained models, stays
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
    """Scenarios by key; those of one original model share its weights, which travel to a worker once."""
    known: dict[str, Any] = {}
    return {
        one.scenario.key: _with_original(one, known.setdefault(one.original_id, one.original))
        for one in packed
    }


def _hear(board: Board, job: _Training | _Packing, line: str) -> None:
    board.hear(job.name, line)


def _with_original(packed: Packed, weights: Any) -> Packed:
    """The same scenario with weights that others share."""
    steps = tuple(_with_original(step, weights) for step in packed.steps)
    return replace(packed, original=weights, steps=steps)


def models_of(
    scenarios: Sequence[Scenario],
    firsts: Sequence[Scenario],
    own: OwnModels,
    record: bool,
    references: int,
) -> list[Needed]:
    """The models that distinct scenarios need.

    Args:
        firsts: A scenario for each original model.
        record: Also the recorded steps of every forget set.
        references: How many retrained models each has.
    """
    models = [Needed("own", scenarios[0])] if own.original else [Needed("original", s) for s in firsts]
    without: _Role = "own_retrained" if own.retrained else "retrained"
    steps = distinct(s for w in scenarios for s in w.steps)
    models += [Needed(without, s, i) for s in steps for i in range(references)]
    if record:
        models += [Needed("recorded", s) for s in distinct(s for w in scenarios for s in w.requests)]
    return models


def originals(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """A scenario for each original model, in the order of their seeds.

    The images that a file lists are in the training of its original model, whatever they are.
    """
    models: dict[tuple[int, bytes], Scenario] = {}
    for s in scenarios:
        models.setdefault((s.seed, s.split(load(s.dataset)).train.tobytes()), s)
    return sorted(models.values(), key=lambda s: s.seed)


def distinct(scenarios: Iterable[Scenario]) -> list[Scenario]:
    return list({scenario.key: scenario for scenario in scenarios}.values())


def own_models(
    original: Checkpoint | None, retrained: Checkpoint | None, scenarios: Sequence[Scenario], tell: Tell
) -> OwnModels:
    """The user's own models, read and checked for the network of some scenarios; none where there are none.

    Args:
        tell: Called with a line for what was done to the weights to make them fit.

    Raises:
        DataError: for weights that do not fit, with their file.
    """
    if original is None or not scenarios:
        return NONE
    from benchmarks.training.models import own_model

    models = [own_model(scenarios[0], given, tell) if given else None for given in (original, retrained)]
    return OwnModels(*models)


def _sent(training: Iterable[Needed], recipe: Recipe, preprocessing: Preprocessing | None) -> dict[str, Any]:
    """References to those models that are in the cache here, for machines with caches of their own."""
    from benchmarks.training.cache import stored

    names = filter(None, (model.id(recipe, preprocessing) for model in training))
    found = {name: stored(name) for name in names}
    return {name: share(model) for name, model in found.items() if model is not None}


def _keep(model: Stored) -> None:
    from benchmarks.training.cache import store

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
    own: OwnModels

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
class _TrainedThere:
    """What a training job tells; the model itself if the driver does not see the folder it lies in."""

    id: str
    report: dict[str, Any]
    elsewhere: Stored | None = None
    from_cache: bool = False
    warnings: tuple[str, ...] = ()


def _train(job: _Training, say: Tell) -> _TrainedThere:
    say(f"{job.name}: reading the data")
    from benchmarks.training.cache import stored
    from benchmarks.training.models import TRAINED, retrained_model

    common, role, scenario = job.common, job.model.role, job.model.scenario
    device = common.start(scenario, job.models)
    if role == "own" or role == "own_retrained":
        say(f"{job.name}: evaluating")
        return _judged(job, device)
    if role == "retrained":
        taken = common.own.preprocessing
        model = retrained_model(scenario, common.recipe, device, say, taken, job.model.reference)
    else:
        model = TRAINED[role](scenario, common.recipe, device, say)
    seen = _cache_place() == common.cache
    return _TrainedThere(model.id, model.report, None if seen else stored(model.id), model.from_cache)


def _judged(job: _Training, device: torch.device) -> _TrainedThere:
    """How well a model of the user's own does."""
    from benchmarks.training.models import test_predictions
    from benchmarks.trial.sanity import near_chance

    scenario, original = job.model.scenario, job.model.role == "own"
    model = job.common.own.original if original else job.common.own.retrained
    assert model is not None
    test = test_predictions("original" if original else "retrained", scenario, model, device)
    warning = near_chance(test, scenario.classes) if original else None
    return _TrainedThere(
        model.id,
        {"test_acc": 100 * float(test.correct.mean())},
        warnings=(warning,) if warning else (),
    )


def _pack(job: _Packing, say: Tell) -> tuple[Packed, tuple[str, ...]]:
    say(f"{job.scenario.forget}: reading the data")
    from benchmarks.trial.prepared import prepare as prepare_one
    from benchmarks.trial.sanity import compared

    ready = prepare_one(
        job.scenario,
        recipe=job.common.recipe,
        eval_limit=job.eval_limit,
        record=job.record,
        keep_retrained=job.keep_retrained,
        references=job.references,
        original=job.common.own.original,
        retrained=job.common.own.retrained,
        device=job.common.start(job.scenario, job.models),
        progress=say,
    )
    if job.common.own.original is None:
        return ready.packed, ()
    return ready.packed, tuple(compared(ready.references("validation"), ready.references("test")))


def _cache_place() -> tuple[str, int, int]:
    """Tells two model caches apart, on one machine or on two."""
    from benchmarks.training.cache import model_folder

    folder = model_folder()
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.stat()
    return platform.node(), found.st_dev, found.st_ino
