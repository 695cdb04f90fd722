"""A plan: a whole experiment as data, with its searches, benchmark, scenarios and resources."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from benchmarks.cards import Card, Shown
from benchmarks.datasets import datasets
from benchmarks.methods import Method, methods
from benchmarks.metrics import benchmark_metrics, default_metrics, metrics
from benchmarks.scenarios.scenario import Scenario, method_task
from benchmarks.training.recipes import Recipe, over, published_recipe
from benchmarks.training.reference_models import automatic
from benchmarks.trial.evaluated_images import EvaluatedImages, evaluated_images
from benchmarks.weights.checkpoint import Checkpoint, Preprocessing
from search.plans import limits
from search.plans.values import (
    Name,
    Names,
    Points,
    Presets,
    Real,
    Reals,
    References,
    Section,
    Sentences,
    SomeNames,
    Whole,
    numeric,
    share_of_gpu,
)
from search.studies.objectives import Aim, Objective, objective
from search.studies.pruning import Rule
from search.studies.sampling import Sampler
from search.studies.spaces import Space, search_space
from search.studies.starts import NOTHING, Starts

_SPACES: dict[tuple[type, str], Space] = {}  # of a method's parameters and what a plan says about them


class Training(Section):
    """Departures from the published recipe; missing keys keep the published values."""

    epochs: Whole | None = Field(None, ge=1, le=limits.EPOCHS)
    batch_size: Whole | None = Field(None, ge=1, le=limits.BATCH)
    max_lr: Real | None = Field(None, gt=0, le=limits.LEARNING_RATE)
    pretrained: bool | None = None
    original: Literal["trained", "published"] | None = None
    precision: Literal["float32", "bfloat16"] | None = None


class StartFrom(Section):
    """Earlier searches that a search starts from; in the file it may be a single address.

    Attributes:
        results: A results folder, or its address in a bucket.
        optuna: The address of a database of Optuna studies, such as sqlite:///study.db.
        study: The name of the study in that database, or method -> name; None if the database knows it.
        use: points: the best are run first. history: the sampler learns from all of them.
        points: Number of points that each method takes.
    """

    results: str | None = Field(None, max_length=limits.PATH)
    optuna: str | None = Field(None, max_length=limits.PATH)
    study: str | dict[str, str] | None = None
    use: Literal["points", "history"] = "points"
    points: Whole = Field(5, ge=1, le=limits.ENTRIES)

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, content: Any) -> Any:
        if not isinstance(content, str):
            return content
        in_bucket = content.startswith(("s3://", "gs://"))
        return {"optuna" if "://" in content and not in_bucket else "results": content}

    @model_validator(mode="after")
    def _single_source(self) -> StartFrom:
        if (self.results is None) == (self.optuna is None):
            raise ValueError("write either results: FOLDER or optuna: sqlite:///FILE")
        if self.study is not None and self.optuna is None:
            raise ValueError("a study is in a database; write optuna: sqlite:///FILE too")
        return self

    def __str__(self) -> str:
        return str(self.results or self.optuna)


class Wanted(Section):
    """A metric of a weighted objective; in the file it may be a single number, its weight.

    Attributes:
        aim: The retrained model's value (retrained), zero, or as low or as high as possible; by default the
            right aim for the metric.
    """

    weight: Real = Field(1.0, gt=0, le=limits.WEIGHT)
    aim: Aim | None = None

    @model_validator(mode="before")
    @classmethod
    def _weight_alone(cls, content: Any) -> Any:
        return content if isinstance(content, dict) else {"weight": content}


class Minimised(Section):
    """The objective of a search: its name, which in the file is a single word; or a weighted mean of metrics,
    a limit on the loss of retain accuracy, or both.

    Attributes:
        name: gap or pareto; None for a user-defined objective.
        metrics: Metric -> its weight and its aim; empty with `keep` alone, and then `forget_excess` is
            minimised, which does not need a retrained model.
        keep: Points of retain accuracy that the original model may lose; every further point is added.
    """

    name: Name | None = None
    metrics: dict[Name, Wanted] = Field(default_factory=dict, max_length=limits.ENTRIES)
    keep: Real | None = Field(None, ge=0, le=100)

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, content: Any) -> Any:
        return content if isinstance(content, dict) else {"name": content}

    @model_validator(mode="after")
    def _either(self) -> Minimised:
        if (self.name is None) == (not self.metrics and self.keep is None):
            raise ValueError("write gap, pareto, {metrics: {mia: 1, forget_acc: 2}} or {keep: 2}")
        return self

    @property
    def spec(self) -> str | dict[str, Any]:
        """The argument of `search.studies.objectives.objective`."""
        return self.name or self.model_dump(exclude_none=True, exclude_defaults=True)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.name or handler(self)


class Search(Section):
    """The search: its forget sets, the number of trials of each method, and the objective.

    Attributes:
        objective: gap, pareto, or weighted metrics.
        repeats: Number of seeds for each point; its figures are the means over them.
        sampler: Draws the points that are not given; see `search.studies.sampling`.
        stop: End a study once its possible gain, by Optuna's regret bound, is at most this many points.
        presets: Try published values first.
        pruner: Ends hopeless trials of methods that report their steps: none, median or halving.
        evaluate: auto: on subsets of the large splits, see `benchmarks.scenarios.subsets`; all: on
            all images, as in a benchmark.
        space: Method -> hyper-parameter -> `[low, high]` to vary it, more values or `{choices: [...]}` to
            choose among them, or a single value to fix it. After reading, these are numbers, and only
            departures from the declaration.
        start: Method -> points to try before anything else; see `search.plans.starts.start_points`.
        start_from: Earlier searches whose trials are tried next, or that the sampler learns from.
    """

    forget: SomeNames
    trials: Whole = Field(250, ge=1, le=limits.TRIALS)
    objective: Minimised = Minimised(name="gap")
    repeats: Whole = Field(1, ge=1, le=limits.REPEATS)
    sampler: Sampler = "tpe"
    stop: Real | None = Field(None, gt=0, le=100)
    seed: Whole = Field(0, ge=0, le=limits.SEED)
    presets: bool = True
    pruner: Rule = "none"
    evaluate: Literal["auto", "all"] = "auto"
    space: dict[str, dict[str, Any]] = Field(default_factory=dict)
    start: Points = Field(default_factory=dict)
    start_from: StartFrom | None = None


class Benchmark(Section):
    """The benchmark: forget sets, repetitions, and further methods with their published values.

    The parameters found on each searched forget set are run on every forget set of the benchmark.

    Attributes:
        seeds: Repetitions of a method on one forget set and one original model.
        draws: Number of samples of each forget set that is a number (of images, of people).
        originals: Number of original models, with the seeds after the plan's; each has its own retrained
            models.
        presets: Which published values of each searched method to run: those nearest to the plan's data
            set, model and task, all that were published for the task, or none. Or method -> names of its
            presets; the other methods then run the nearest.
        metrics: Names of metrics to measure in addition to those that are always measured.
    """

    forget: SomeNames
    seeds: Whole = Field(10, ge=1, le=limits.SEEDS)
    draws: Whole = Field(1, ge=1, le=limits.DRAWS)
    originals: Whole = Field(1, ge=1, le=limits.ORIGINALS)
    beside: Names = ("finetune",)
    presets: Presets = "nearest"
    metrics: Names = ()


class Resources(Section):
    """The resources of a trial; `workers` run at once, by default as many as fit.

    Attributes:
        gpus_per_trial: "auto", a share 1/k of a GPU, 0, or a share per kind of GPU.
        trial_timeout: Seconds after which a trial is killed and recorded as failed.
    """

    workers: Whole | None = Field(None, ge=1, le=limits.WORKERS)
    cpus_per_trial: Whole = Field(1, ge=1, le=limits.CPUS)
    gpus_per_trial: Literal["auto"] | float | dict[str, float] = "auto"
    trial_timeout: Real | None = Field(None, gt=0, le=limits.SECONDS)

    @field_validator("gpus_per_trial", mode="plain")
    @classmethod
    def _shares(cls, value: Any) -> Any:
        if isinstance(value, dict) and value:
            return {str(kind): share_of_gpu(share) for kind, share in value.items()}
        return value if value == "auto" else share_of_gpu(value)


class Weights(Section):
    """A user's trained model; in the file it may be a path instead of `{file: PATH}`.

    Attributes:
        entry: The set of weights in the file, if several of them fit.
    """

    file: str = Field(max_length=limits.PATH)
    entry: str | None = Field(None, max_length=limits.NAME)

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, content: Any) -> Any:
        return {"file": content} if isinstance(content, str) else content


class OriginalWeights(Weights):
    """The original model, with the preprocessing that it was trained with; see `Preprocessing.of`."""

    mean: Reals | None = None
    std: Reals | None = None
    scale: Annotated[Literal[1, 255], BeforeValidator(numeric)] | None = None

    @property
    def preprocessing(self) -> Preprocessing | None:
        """The preprocessing of pixels; None for that of the data set.

        Raises:
            DataError: for invalid values.
        """
        return Preprocessing.of(self.mean, self.std, self.scale)


class Plan(Shown, Section):
    """A whole experiment. See `docs/plans.md` for every key.

    Made by `Plan.load` from a file, or by `Plan.of` from keys; both check it as a whole.

    Attributes:
        methods: Names; `all` in the file means every method of the task.
        paper: The paper of the experiment; published values are then only those of that paper.
        seed: Seed of the original and the retrained models.
        checkpoint: A user's trained model, which is then the original model.
        retrained: A user's model that was trained without the forget set.
        references: Number of retrained models whose mean gives the targets of a scenario; auto: see
            `reference_count`.
        eval_limit: Evaluate at most so many images of each split, the forget set too, in all stages: a fixed
            random choice. The subsets of `search.evaluate` are chosen among them.
        precision: float32, or bfloat16: methods run under autocast.
        departures: Differences from the published experiment, in sentences; the report shows them.
        logging: Tools that log every trial too: tensorboard, mlflow, wandb.
        scale: The share of the published epochs, images, trials, seeds and steps that is run; see
            `search.plans.scaling`.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    dataset: Name
    model: Name
    task: Name
    methods: SomeNames
    paper: Name | None = None
    seed: Whole = Field(0, ge=0, le=limits.SEED)
    checkpoint: OriginalWeights | None = None
    retrained: Weights | None = None
    references: References = "auto"
    eval_limit: Whole | None = Field(None, ge=100, le=limits.IMAGES)
    precision: Literal["float32", "bfloat16"] = "float32"
    training: Training = Training()
    search: Search
    benchmark: Benchmark | None = None
    resources: Resources = Resources()
    departures: Sentences = ()
    logging: Names = ()
    scale: Real = Field(1.0, gt=0, le=1)
    _images: dict[str, tuple[int, ...]] = PrivateAttr(default_factory=dict)  # of forget sets named by a file
    _starts: dict[str, Starts] = PrivateAttr(default_factory=dict)  # of each method that has any
    _code: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def load(
        cls,
        plan: str | Path,
        *,
        part: str | None = None,
        scale: float | None = None,
        allow_code: bool = False,
    ) -> Plan:
        """The plan of a file, or one that ships with the package.

        Args:
            plan: The path of a YAML file, or a name of `unlearn list plans`.
            part: The name of a part, for a file with several plans.
            scale: Run this share of the epochs, images, trials, seeds and steps, instead of the file's.
            allow_code: Let the plan import a module that it names (`import:`), which runs the code in it.

        Raises:
            PlanError: one line with file, line, reason and what is valid.
        """
        from search.plans.files import load_part

        return load_part(plan, part, scale, allow_code)

    @classmethod
    def of(cls, *, allow_code: bool = False, **keys: Any) -> Plan:
        """A plan from the keys of a file (docs/plans.md): sections are mappings, lists are sequences.

        A missing `name` is made from the data set, the model and the task.

        Args:
            allow_code: Let the plan import a module that it names (`import:`), which runs the code in it.

        Raises:
            PlanError: one line with the key, the reason and what is valid.
        """
        from search.plans.arguments import plan_from

        return plan_from(keys, allow_code)

    def card(self) -> Card:
        """A summary in a few lines."""
        search, lines = self.search, [["methods", ", ".join(self.methods)]]
        forget = ", ".join(search.forget)
        lines.append(["search", f"{forget}: {search.trials} trials each, objective {self.objective().name}"])
        if self.benchmark:
            lines.append(
                ["benchmark", f"{', '.join(self.benchmark.forget)}: {self.benchmark.seeds} seeds each"]
            )
        if self.scale < 1:
            lines.append(["scale", f"{self.scale:g}"])
        return Card(f"plan {self.name}: {self.task} of {self.dataset} with {self.model}", lines)

    @model_validator(mode="before")
    @classmethod
    def _all_methods(cls, content: Any) -> Any:
        if not isinstance(content, dict) or content.get("methods") != "all":
            return content
        wanted = method_task(str(content.get("task")))
        every = [m.name for m in methods if wanted in m.tasks and not m.reference]
        return {**content, "methods": every or ["all"]}  # an unknown task is reported later

    def scenario(self, forget: str, draw: int = 0, original: int = 0) -> Scenario:
        """The scenario of a draw of a forget set and an original model."""
        images, seed = self._images.get(forget, ()), self.seed + original
        return Scenario(self.dataset, self.model, self.task, forget, seed, draw, images=images)

    def with_images(self, images: Mapping[str, tuple[int, ...]]) -> Plan:
        """The plan with the images of its forget sets `ids-...`; no file is read again."""
        plan = self.model_copy()
        plan._images = dict(images)
        return plan

    def starts(self, method: str) -> Starts:
        """The starts of the searches of a method."""
        return self._starts.get(method, NOTHING)

    def with_starts(self, starts: Mapping[str, Starts]) -> Plan:
        """The plan with the starts of its searches by method, which are then not read again."""
        plan = self.model_copy()
        plan._starts = dict(starts)
        return plan

    def with_all_images(self) -> Plan:
        """The plan with a search that evaluates all images."""
        return self.model_copy(update={"search": self.search.model_copy(update={"evaluate": "all"})})

    @property
    def code(self) -> tuple[str, ...]:
        """Folders with user's modules that it names, which workers need too."""
        return self._code

    def with_code(self, folder: Path) -> Plan:
        """The plan with a folder from which workers may import modules."""
        plan = self.model_copy()
        plan._code = (str(folder.resolve()),)
        return plan

    def searched(self) -> list[Scenario]:
        """The scenarios to search on."""
        return [self.scenario(forget) for forget in self.search.forget]

    def benchmarked(self) -> list[Scenario]:
        """The scenarios to benchmark on, the first draw and the first original model before the others."""
        if self.benchmark is None:
            return []
        draws, originals = range(self.benchmark.draws), range(self.benchmark.originals)
        order = itertools.product(draws, originals, self.benchmark.forget)
        return [self.scenario(forget, draw, original) for draw, original, forget in order]

    def scenarios(self) -> list[Scenario]:
        """All scenarios that its stages need."""
        return [*self.searched(), *self.benchmarked()]

    def algorithms(self) -> list[Method]:
        """The methods to search."""
        return [methods.get(name) for name in self.methods]

    def space(self, method: Method) -> Space:
        """What the search of a method varies and what it fixes; the same values are worked out only once.

        Raises:
            InvalidParameters: for a space that the method does not have; see `search_space`.
        """
        overrides = self.search.space.get(method.name)
        key = method.Params, repr(overrides)
        if key not in _SPACES:
            _SPACES[key] = search_space(method.Params, overrides)
        return _SPACES[key]

    def evaluated_images(self) -> EvaluatedImages:
        """The images that its search evaluates, as far as they are known without its data."""
        return evaluated_images(datasets.get(self.dataset), self.search.evaluate, self.eval_limit)

    def objective(self) -> Objective:
        """The objective of its search.

        Raises:
            UnknownName: for an unknown objective or metric.
        """
        return objective(self.search.objective.spec)

    def search_metrics(self) -> tuple[str, ...]:
        """All metrics that its search measures; empty if they are those that every trial measures."""
        always = default_metrics()
        more = [name for name in dict.fromkeys(self.objective().metrics) if name not in always]
        return (*always, *more) if more else ()

    def needs_recording(self) -> bool:
        """Whether any of its methods needs a training that recorded its steps."""
        beside = self.benchmark.beside if self.benchmark else ()
        return any(methods.get(name).needs_recording for name in (*self.methods, *beside))

    def named_metrics(self) -> tuple[str, ...]:
        """The metrics that its benchmark measures only because it names them."""
        named = (*(self.benchmark.metrics if self.benchmark else ()), *self.objective().metrics)
        return tuple(sorted({name for name in named if metrics.get(name).measured == "named"}))

    def benchmark_metrics(self) -> tuple[str, ...]:
        """All metrics that its benchmark measures."""
        return tuple(benchmark_metrics(self.named_metrics()))

    def needs_retrained(self) -> bool:
        """Whether any of its metrics trains the retrained model."""
        return any(metrics.get(name).needs_models for name in self.named_metrics())

    def reference_count(self) -> int:
        """The number of retrained models of each of its scenarios.

        With `auto` three if a model trains in about a minute, see
        `benchmarks.training.reference_models.automatic`. Otherwise one; also for a sequence, which has a
        model for each request, and for the user's model.
        """
        if self.references != "auto":
            return self.references
        if self.retrained is not None or self.task == "sequence":
            return 1
        return automatic(self.dataset, self.model, self.recipe())

    def recipe(self) -> Recipe:
        """The training recipe of the models."""
        recipe = published_recipe(self.model, self.dataset)
        changes = {k: v for k, v in self.training.model_dump().items() if v is not None}
        if self.checkpoint is not None:
            changes["original"] = "trained"  # by the user
        return replace(over(recipe, changes.pop("epochs", recipe.epochs)), **changes)

    def original(self) -> Checkpoint | None:
        """The user's original model; None if it is trained here."""
        given = self.checkpoint
        return None if given is None else Checkpoint(Path(given.file), given.entry, given.preprocessing)

    def retrained_model(self) -> Checkpoint | None:
        """The user's retrained model, with the preprocessing of the original; None if it is trained here."""
        given = self.retrained
        taken = None if self.checkpoint is None else self.checkpoint.preprocessing
        return None if given is None else Checkpoint(Path(given.file), given.entry, taken)
