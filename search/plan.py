"""A whole experiment as data: what to search and to benchmark, on which scenarios, with what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from benchmarks.methods import Method, methods
from benchmarks.metrics import metrics
from benchmarks.recipes import over, published_recipe
from benchmarks.scenarios import Scenario, method_task
from benchmarks.training import Recipe
from search.pruning import Rule


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Training(Section):
    """Departures from the published recipe; whatever is missing stays as published."""

    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    max_lr: float | None = Field(None, gt=0)
    pretrained: bool | None = None
    precision: Literal["float32", "bfloat16"] | None = None


class Search(Section):
    """The search: on which forget sets, how many trials of each method, for what.

    Attributes:
        presets: Try published values first.
        pruner: Ends hopeless trials of methods that report their steps: none, median or halving.
        space: Method -> hyper-parameter -> `[low, high]` to vary it, or one value to hold it fixed.
    """

    forget: tuple[str, ...]
    trials: int = Field(250, ge=1)
    objective: str = "gap"
    seed: int = Field(0, ge=0)
    presets: bool = True
    pruner: Rule = "none"
    space: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("forget", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]


class Benchmark(Section):
    """The benchmark: forget sets, seeds, and methods to run beside with their published values.

    The parameters found on each searched forget set are run on every forget set of the benchmark.

    Attributes:
        presets: Which published values of each searched method to run: those nearest to the plan's model
            and task, all that were published for the task, or none.
        metrics: Names of metrics to measure beside those that are always measured.
    """

    forget: tuple[str, ...]
    seeds: int = Field(10, ge=1)
    beside: tuple[str, ...] = ("finetune",)
    presets: Literal["nearest", "all", "none"] = "nearest"
    metrics: tuple[str, ...] = ()

    @field_validator("forget", "metrics", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]


class Resources(Section):
    """What one trial may use; `workers` at once, as many as fit if it is missing.

    Attributes:
        gpus_per_trial: "auto", a share 1/k of a GPU, 0, or a share per kind of GPU.
        trial_timeout: Seconds after which a trial is killed and recorded as failed.
    """

    workers: int | None = Field(None, ge=1)
    cpus_per_trial: int = Field(1, ge=1)
    gpus_per_trial: Literal["auto"] | float | dict[str, float] = "auto"
    trial_timeout: float | None = Field(None, gt=0)


class Plan(Section):
    """A whole experiment. See `docs/plans.md` for every key.

    Attributes:
        methods: Names; in the file `all` stands for every method that the task has.
        seed: Seed of the original and the retrained models.
        checkpoint: A file with the weights of a trained model, which is then the original model.
        eval_limit: Evaluate at most so many images of each split, a fixed random choice.
        precision: float32, or bfloat16: methods run under autocast.
        scale: The share of the published epochs, images, trials, seeds and steps that is run; see
            `search.scaling`.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    dataset: str
    model: str
    task: str
    methods: tuple[str, ...] = Field(min_length=1)
    seed: int = Field(0, ge=0)
    checkpoint: str | None = None
    eval_limit: int | None = Field(None, ge=100)
    precision: Literal["float32", "bfloat16"] = "float32"
    training: Training = Training()
    search: Search
    benchmark: Benchmark | None = None
    resources: Resources = Resources()
    scale: float = Field(1.0, gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _all_methods(cls, content: Any) -> Any:
        if not isinstance(content, dict) or content.get("methods") != "all":
            return content
        wanted = method_task(str(content.get("task")))
        every = [m.name for m in methods if wanted in m.tasks and not m.reference]
        return {**content, "methods": every}

    def scenario(self, forget: str) -> Scenario:
        """The scenario of one forget set."""
        return Scenario(self.dataset, self.model, self.task, forget, self.seed)

    def searched(self) -> list[Scenario]:
        """The scenarios to search on."""
        return [self.scenario(forget) for forget in self.search.forget]

    def benchmarked(self) -> list[Scenario]:
        """The scenarios to benchmark on."""
        return [self.scenario(forget) for forget in self.benchmark.forget] if self.benchmark else []

    def scenarios(self) -> list[Scenario]:
        """All scenarios that its stages need."""
        return [*self.searched(), *self.benchmarked()]

    def algorithms(self) -> list[Method]:
        """The methods to search."""
        return [methods.get(name) for name in self.methods]

    def needs_recording(self) -> bool:
        """Whether any of its methods needs a training that recorded its steps."""
        beside = self.benchmark.beside if self.benchmark else ()
        return any(methods.get(name).needs_recording for name in (*self.methods, *beside))

    def costly_metrics(self) -> tuple[str, ...]:
        """The metrics that its benchmark measures beside those that are always measured."""
        named = self.benchmark.metrics if self.benchmark else ()
        return tuple(sorted({name for name in named if metrics.get(name).costly}))

    def needs_retrained(self) -> bool:
        """Whether any of its metrics trains the retrained model."""
        return any(metrics.get(name).trains for name in self.costly_metrics())

    def recipe(self) -> Recipe:
        """How the models are trained."""
        recipe = published_recipe(self.model, self.dataset)
        changes = {k: v for k, v in self.training.model_dump().items() if v is not None}
        return replace(over(recipe, changes.pop("epochs", recipe.epochs)), **changes)

    def run_id(self, stage: Literal["search", "benchmark"]) -> str:
        """Names the run of a stage by what all of its trials share; see `search.identity`.

        Raises:
            DataError: if the data set or the checkpoint cannot be read.
        """
        from search.identity import benchmark_identity, search_identity

        identity = search_identity(self) if stage == "search" else benchmark_identity(self, ())
        return identity.run_id
