"""Plan files in YAML: read and checked at once and as a whole, with the line of every mistake."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from benchmarks.errors import BenchmarkError, UnknownName, printable, suggest
from benchmarks.methods import methods
from benchmarks.metrics import metrics
from benchmarks.presets import PAPERS
from benchmarks.scenarios.scenario import Scenario
from cluster.isolation import importable
from search import loggers
from search.errors import PlanError
from search.plans import limits
from search.plans.canonical import Tell, beside, distinct, typed
from search.plans.changes import changed
from search.plans.parts import pairs, parts
from search.plans.plan import Plan
from search.plans.problems import explain
from search.plans.scaling import scaled
from search.plans.sources import source, text_of
from search.plans.starts.start_points import with_points
from search.plans.text import Document, Position, read

T = TypeVar("T")
_CODE = "import:"  # begins a name of user-defined code; looking it up runs the code


def imports_code(plan: Plan) -> bool:
    """Whether a plan names a user's module, which workers need to import too."""
    return bool(_code_keys(plan))


def _code_keys(plan: Plan) -> list[str]:
    """The keys of a plan that name a user's module."""
    return [key for key in ("dataset", "model") if getattr(plan, key).startswith(_CODE)]


def note(line: str) -> None:
    """Print a note about a plan."""
    print(f"note: {printable(line)}", file=sys.stderr)


def load(
    plan: str | Path,
    scale: float | None = None,
    allow_code: bool = False,
    tell: Tell = note,
    changes: Sequence[str] = (),
) -> list[Plan]:
    """The plans of a file, or of a plan that ships with the package.

    A file with several data sets or models has a plan for each pair of them, and a file with `parts` has the
    plans of each part.

    Args:
        scale: Run this share of the epochs, images, trials, seeds and steps, instead of the file's `scale`.
        allow_code: Let the plan import a module that it names (`import:`), which runs the code in it.
        tell: Called with a line for each name that is given more than once; it runs once.
        changes: Other values for keys of the file, each `KEY=VALUE` such as `search.trials=5`.

    Raises:
        PlanError: one line with file, line, reason and what is valid.
    """
    return parse(text_of(plan), str(plan), scale, allow_code, source(plan).parent, tell, changes)


def load_part(
    plan: str | Path,
    part: str | None = None,
    scale: float | None = None,
    allow_code: bool = False,
    changes: Sequence[str] = (),
) -> Plan:
    """The only plan of a file, or a part of it by name; other arguments as for `load`.

    Args:
        part: The name of the part, with or without the name of the file before it.

    Raises:
        PlanError: as `load`; for a file with several plans, with their names.
    """
    every = load(plan, scale, allow_code, changes=changes)
    names = [candidate.name for candidate in every]
    if part is None and len(every) == 1:
        return every[0]
    if part is None:
        raise PlanError(
            f"{plan} has {len(every)} plans: {', '.join(names)}; name one as part (--part), or "
            "take all of them with unlearnbench.plans"
        )
    for candidate in every:
        if candidate.name == part or candidate.name.endswith(f"-{part}"):
            return candidate
    raise PlanError(f"{plan} has no part '{part}'; {suggest(part, names)}")


def parse(
    text: str,
    name: str = "plan",
    scale: float | None = None,
    allow_code: bool = False,
    folder: Path | None = None,
    tell: Tell = note,
    changes: Sequence[str] = (),
) -> list[Plan]:
    """Plans from YAML text; `name` is used in messages, the other arguments are as for `load`.

    Args:
        folder: The folder of the files that the plan's forget sets name, and of modules that it may import.
            None for the current folder.

    Raises:
        PlanError: as `load` does.
    """
    return plans_of(changed(read(text, name), changes), scale, allow_code, folder, tell)


def plans_of(
    document: Document, scale: float | None, allow_code: bool, folder: Path | None, tell: Tell
) -> list[Plan]:
    """The plans of a document; arguments and errors as for `parse`."""
    if scale is not None:
        document.content["scale"] = scale
    every: list[Plan] = []
    for part in parts(document):
        plans: dict[tuple[str, str], Plan] = {}
        for content in pairs(part):
            plan = _plan(content, part, allow_code, folder, tell)
            if plans.setdefault((plan.dataset, plan.model), plan) is not plan:
                pair = f"'{plan.model}' on '{plan.dataset}'"
                tell(f"{document.name}: {pair} is named more than once; it runs once")
        every += plans.values()
    return every


def _plan(
    content: Mapping[str, Any], document: Document, allow_code: bool, folder: Path | None, tell: Tell
) -> Plan:
    at = document.at
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        # A misspelt key is also a missing key; its spelling is the more helpful message
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        raise PlanError(f"{at(*first['loc'])}: {explain(first)}") from None
    plan = beside(plan, folder) if folder else plan
    for key in _code_keys(plan):
        if not allow_code:
            raise PlanError(
                f"{at(key)}: '{getattr(plan, key)}' runs code of a module that the plan names; if you know "
                "and trust that module, add --allow-code"
            )
        plan = plan.with_code(folder) if folder else plan
        importable(plan.code)
    _check(plan, at)
    plan = _checked(at, (), lambda: typed(plan))
    where = document.name
    if plan.scale < 1:
        plan = _checked(at, ("scale",), lambda: typed(scaled(plan)))
        where += f" at scale {plan.scale:g}"
    plan = _checked(at, ("scale",), lambda: distinct(plan, lambda line: tell(f"{where}: {line}")))
    plan = _started(plan, at, lambda line: tell(f"{where}: {line}"))
    plan = _checked(at, ("search", "start"), lambda: with_points(plan))
    check_work(plan, at)
    return plan


def _started(plan: Plan, at: Callable[..., str], tell: Tell) -> Plan:
    if plan.search.start_from is None:
        return plan
    from search.plans.starts.start_from import with_earlier

    try:
        return with_earlier(plan, tell)
    except PlanError as error:
        raise PlanError(f"{at('search', 'start_from')}: {error}") from None


def check_work(plan: Plan, at: Callable[..., str]) -> None:
    """Check that no stage has more trials than a driver can keep in memory.

    Args:
        at: The position of a key, for messages.

    Raises:
        PlanError: with the number of trials and the bound.
    """
    search, benchmark = plan.search, plan.benchmark
    trials = len(plan.methods) * len(search.forget) * search.trials
    if trials > limits.WORK:
        raise PlanError(
            f"{at('search', 'trials')}: methods, forget sets and 'trials' make {trials} trials; "
            f"at most {limits.WORK} can be searched in one plan"
        )
    if benchmark is None:
        return
    lines = 2 + len(benchmark.beside) + len(plan.methods) * (len(search.forget) + 1)
    repetitions = benchmark.seeds * benchmark.draws * benchmark.originals
    trials = lines * len(benchmark.forget) * repetitions
    if trials > limits.WORK:
        raise PlanError(
            f"{at('benchmark', 'seeds')}: methods, forget sets, 'draws', 'originals' and 'seeds' make "
            f"{trials} trials; at most {limits.WORK} can be benchmarked in one plan"
        )


def _checked(at: Callable[..., str], position: Position, call: Callable[[], T]) -> T:
    try:
        return call()
    except (BenchmarkError, PlanError) as error:
        raise PlanError(f"{at(*position)}: {error}") from None


def _check(plan: Plan, at: Callable[..., str]) -> None:
    """Check that everything that the plan names exists and fits together."""
    from benchmarks.datasets import datasets
    from benchmarks.models import models
    from benchmarks.scenarios.scenario import TASKS

    _checked(at, ("dataset",), lambda: datasets.get(plan.dataset))
    _checked(at, ("model",), lambda: models.get(plan.model))
    if plan.task not in TASKS:
        raise PlanError(f"{at('task')}: {UnknownName('task', plan.task, TASKS)}")
    _check_search(plan, at)
    if "model" in _code_keys(plan):
        _checked(at, ("model",), lambda: _try_network(plan.scenarios()))
    for i, forget in enumerate(plan.benchmark.forget if plan.benchmark else ()):
        _checked(at, ("benchmark", "forget", i), lambda f=forget: plan.scenario(f))  # type: ignore[misc]
    for i, name in enumerate(plan.benchmark.beside if plan.benchmark else ()):
        position = ("benchmark", "beside", i)
        method = _checked(at, position, lambda n=name: methods.get(n))  # type: ignore[misc]
        _checked(at, position, lambda m=method: m.check_task(plan.task))  # type: ignore[misc]
    for i, name in enumerate(plan.benchmark.metrics if plan.benchmark else ()):
        _checked(at, ("benchmark", "metrics", i), lambda n=name: metrics.get(n))  # type: ignore[misc]

    _checked(at, ("logging",), lambda: loggers.check(plan.logging))
    _check_recipe(plan, at)
    _check_published(plan, at)
    _check_repetitions(plan, at)
    _check_weights(plan, at)
    _check_no_references(plan, at)


def _check_recipe(plan: Plan, at: Callable[..., str]) -> None:
    """Check that there are published weights if the plan uses them."""
    from benchmarks.models import models

    if plan.recipe().original == "published" and models.get(plan.model).published is None:
        raise PlanError(
            f"{at('training', 'original')}: there are no published weights of '{plan.model}' that this "
            "package knows; write 'original: trained', or give your own weights as 'checkpoint'"
        )


def _check_no_references(plan: Plan, at: Callable[..., str]) -> None:
    """A plan without retrained models asks for nothing that is compared with them."""
    if plan.references != 0:
        return
    if plan.objective().needs_retrained:
        raise PlanError(
            f"{at('references')}: the objective compares with a retrained model, and 'references: 0' has "
            "none; use an objective without one such as 'objective: {keep: 2}', or leave 'references' out"
        )
    if plan.benchmark is not None:
        raise PlanError(
            f"{at('references')}: a benchmark compares with retrained models, and 'references: 0' has none; "
            "leave 'benchmark' out, or leave 'references' out"
        )


def _check_repetitions(plan: Plan, at: Callable[..., str]) -> None:
    """Check that the benchmark's forget sets have several draws, and its original models seeds."""
    if plan.benchmark is None:
        return
    draws, originals = plan.benchmark.draws, plan.benchmark.originals
    for forget in plan.benchmark.forget if draws > 1 else ():
        _checked(at, ("benchmark", "draws"), lambda f=forget: plan.scenario(f, draw=1))  # type: ignore[misc]
    first = plan.benchmark.forget[0]
    _checked(at, ("benchmark", "originals"), lambda: plan.scenario(first, original=originals - 1))
    if originals > 1 and plan.checkpoint is not None:
        raise PlanError(
            f"{at('benchmark', 'originals')}: 'checkpoint' is one original model, and 'originals: "
            f"{originals}' trains more of them here; leave one of the two out"
        )


def _check_published(plan: Plan, at: Callable[..., str]) -> None:
    """Check that the paper and the presets of a plan are known."""
    if plan.paper is not None and plan.paper not in PAPERS:
        raise PlanError(f"{at('paper')}: {UnknownName('paper', plan.paper, PAPERS)}")
    if plan.benchmark is None or isinstance(plan.benchmark.presets, str):
        return
    run = (*plan.methods, *plan.benchmark.beside)
    for name, presets in plan.benchmark.presets.items():
        position = ("benchmark", "presets", name)
        if name not in run:
            raise PlanError(
                f"{at(*position)}: presets of '{name}', which is not among the methods; {suggest(name, run)}"
            )
        for preset in presets:
            _checked(at, position, lambda m=name, p=preset: methods.get(m).preset(p))  # type: ignore[misc]


def _try_network(scenarios: Sequence[Scenario]) -> None:
    """Test a user-defined network with random images before anything is trained."""
    from benchmarks.training.networks import build_network

    for scenario in scenarios[:1]:  # all have the same network
        build_network(scenario, scenario.seed)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # the name is too long for a file
        return False


def _check_weights(plan: Plan, at: Callable[..., str]) -> None:
    """Check that the user's models are files and fit the rest of the plan."""
    for key, given in (("checkpoint", plan.checkpoint), ("retrained", plan.retrained)):
        if given is not None and not _is_file(given.file):
            raise PlanError(f"{at(key, 'file')}: there is no file '{given.file}'")
    original = _checked(at, ("checkpoint",), plan.original)
    if original is not None and original.preprocessing is not None:
        from benchmarks.datasets import datasets

        taken, channels = original.preprocessing, datasets.get(plan.dataset).channels
        _checked(at, ("checkpoint",), lambda: taken.per_channel(channels))
    if plan.retrained is None:
        return
    if plan.references not in ("auto", 1):
        raise PlanError(
            f"{at('references')}: 'retrained' is one model, not {plan.references}; leave 'references' out, "
            "or leave 'retrained' out, and they are trained here"
        )
    if plan.checkpoint is None:
        raise PlanError(
            f"{at('retrained')}: your own retrained model is compared with your own original; "
            "add 'checkpoint', or leave 'retrained' out"
        )
    if plan.benchmark is not None and plan.benchmark.draws > 1:
        raise PlanError(
            f"{at('benchmark', 'draws')}: a retrained model is for one forget set, and 'draws: "
            f"{plan.benchmark.draws}' forgets as many; leave 'draws' out, or leave 'retrained' out, and "
            "one is trained here for each"
        )
    forgotten = sorted({scenario.forget for scenario in plan.scenarios()})
    if len(forgotten) > 1 or plan.task == "sequence":
        raise PlanError(
            f"{at('retrained')}: a retrained model is for one forget set, and this plan has "
            f"{', '.join(map(repr, forgotten))}; keep one set in 'search' and 'benchmark', or leave "
            "'retrained' out, and one is trained here for each"
        )


def _check_search(plan: Plan, at: Callable[..., str]) -> None:
    for i, forget in enumerate(plan.search.forget):
        _checked(at, ("search", "forget", i), lambda f=forget: plan.scenario(f))  # type: ignore[misc]
    for i, name in enumerate(plan.methods):
        method = _checked(at, ("methods", i), lambda n=name: methods.get(n))  # type: ignore[misc]
        _checked(at, ("methods", i), lambda m=method: m.check_task(plan.task))  # type: ignore[misc]
        if method.reference:
            raise PlanError(
                f"{at('methods', i)}: '{name}' has nothing to search; it runs in every benchmark anyway"
            )
        if method.needs_recording and (plan.checkpoint or plan.recipe().original == "published"):
            whose = "of 'checkpoint'" if plan.checkpoint else "as it was published"
            raise PlanError(
                f"{at('methods', i)}: '{name}' needs a training that recorded its steps, and the model "
                f"{whose} was trained elsewhere; leave one of the two out"
            )
        _checked(at, ("search", "space", name), lambda m=method: plan.space(m))  # type: ignore[misc]
    _check_objective(plan, at)
    for name in plan.search.space:
        if name not in plan.methods:
            raise PlanError(
                f"{at('search', 'space', name)}: a space for '{name}', which is not among the methods; "
                f"{suggest(name, plan.methods)}"
            )


def _check_objective(plan: Plan, at: Callable[..., str]) -> None:
    wanted = _checked(at, ("search", "objective"), plan.objective)
    search, several = plan.search, len(wanted.parts) > 1
    if search.pruner != "none" and wanted.name != "gap":
        raise PlanError(
            f"{at('search', 'pruner')}: pruning compares gaps, and objective '{wanted.name}' is another "
            "figure; use 'objective: gap' or 'pruner: none'"
        )
    for key, given in (("repeats", search.repeats > 1), ("stop", search.stop is not None)):
        if given and several:
            raise PlanError(
                f"{at('search', key)}: '{key}' is for one number, and objective '{wanted.name}' has "
                f"{len(wanted.parts)}; leave '{key}' out or use another objective"
            )
    if search.repeats > 1 and search.pruner != "none":
        raise PlanError(
            f"{at('search', 'pruner')}: a point of several seeds is judged by their mean, which no trial "
            "has in its middle; use 'repeats: 1' or 'pruner: none'"
        )
    if search.sampler == "cmaes" and several:
        raise PlanError(
            f"{at('search', 'sampler')}: 'cmaes' minimises one number, and objective '{wanted.name}' has "
            f"{len(wanted.parts)}; use 'sampler: tpe' or 'sampler: nsga2'"
        )
