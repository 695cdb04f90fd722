"""Applies a method to export the unlearned network, with a model card that describes it.

This process runs the method without Ray, as a benchmark runs a trial. The method learns from the training
images except for those held out for validation, on which nothing is trained. The figures are on test images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.methods import Method, methods
from search.display.screen import Latest, terminal
from search.errors import PlanError, RunError
from search.models import chosen_values
from search.models.chosen_values import Chosen
from search.options import RESULTS
from search.plans.plan import Plan

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.scenarios.scenario import Scenario
    from benchmarks.trial.prepared import Prepared
    from benchmarks.trial.run import TrialResult

Params = str | Mapping[str, Any] | None
Notify = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Unlearned:
    """The result of applying a method.

    Attributes:
        model: The unlearned network, in eval mode, on the device that it was unlearned on.
        card: The model, its origin and its figures, as JSON values; see `search.models.cards`.
        weights: Its weights on the CPU, with the names of the plan's checkpoint if there is one.
        chosen: The hyper-parameters and their source.
    """

    model: nn.Module
    card: dict[str, Any]
    weights: dict[str, torch.Tensor]
    chosen: Chosen


def apply(
    plan: Plan | str | Path,
    method: str | None = None,
    *,
    forget: str | None = None,
    params: Params = None,
    seed: int | None = None,
    results: Path | str | None = RESULTS,
) -> nn.Module:
    """The unlearned network of a plan; the arguments, and the errors, are those of `unlearned`."""
    return unlearned(plan, method, forget=forget, params=params, seed=seed, results=results).model


def unlearned(
    plan: Plan | str | Path,
    method: str | None = None,
    *,
    forget: str | None = None,
    params: Params = None,
    seed: int | None = None,
    results: Path | str | None = RESULTS,
) -> Unlearned:
    """Run a method with chosen hyper-parameters, and return the network.

    Models that are not in the cache are trained first, in this process. Progress, and warnings about a
    checkpoint, are printed to stderr.

    Args:
        plan: A plan, or the file or name of a single plan.
        method: Any method for the plan's task; None: the plan's only method.
        forget: Any forget set of the plan's task, including `file:PATH`; None: the trial's, if `params` names
            a trial, otherwise the only one that the plan searches.
        params: See `search.models.chosen_values.chosen`.
        seed: The seed of the method; None: the trial's, if `params` names a trial, otherwise the first of the
            plan's benchmark.
        results: The location of the plan's searches.

    Raises:
        PlanError: for an invalid method, forget set or `params`.
        RunError: if the method fails, or the trials that `params` names do not exist.
        BenchmarkError, ResultsError: errors of training and of reading results.
    """
    from benchmarks.trial.run import run_trial
    from search.models.cards import model_card

    plan = plan if isinstance(plan, Plan) else Plan.load(plan)
    algorithm = _method(plan, method)
    scenario, default_seed = _scenario(plan, algorithm, forget, params, results)
    chosen = chosen_values.chosen(plan, algorithm, scenario.forget, params, results)
    metrics = plan.benchmark_metrics()
    console = terminal(stderr=True)
    with _threads(plan.resources.cpus_per_trial), Latest(console, "reading the data") as now:
        prepared = _prepared(plan, scenario, algorithm, console.print, now.hear)
        task = f"{algorithm.name} on {scenario.forget}"
        now.hear(task)
        result = run_trial(
            prepared,
            algorithm,
            chosen.values,
            seed=seed if seed is not None else default_seed,
            held_out="test",
            metrics=metrics,
            precision=plan.precision,
            observe=lambda share, measure: now.hear(f"{task}: {share:.0%}"),
        )
        if result.model is None:
            raise RunError(f"{algorithm.name} failed on {scenario.forget}, {chosen.phrase}: {result.error}")
        weights = _weights(plan, scenario, result)
        card = model_card(plan, prepared, result, chosen, metrics)
    return Unlearned(result.model.eval(), card, weights, chosen)


def _method(plan: Plan, name: str | None) -> Method:
    """The method to apply."""
    if name is None:
        if len(plan.methods) > 1:
            raise PlanError(
                f"the plan has several methods; choose one with --method: {', '.join(plan.methods)}"
            )
        name = plan.methods[0]
    method = methods.get(name)
    method.check_task(plan.task)
    if method.reference:
        raise PlanError(
            f"'{name}' is a reference and does not unlearn; `unlearn prepare PLAN --to FOLDER` writes the "
            "original and the retrained model"
        )
    return method


def _scenario(
    plan: Plan, method: Method, forget: str | None, params: Params, results: Path | str | None
) -> tuple[Scenario, int]:
    """The scenario, and the default seed of the method."""
    first = plan.seed + 1  # of a benchmark: see `search.plans.repetitions`
    searched = plan.search.forget
    only = plan.scenario(searched[0]).forget if len(searched) == 1 else None
    named = None if forget is None else plan.scenario(forget)
    if chosen_values.names_trial(params):
        row = chosen_values.trial(plan, method, named.forget if named else only, str(params), results)
        same_task = all(row[name] == getattr(plan, name) for name in ("dataset", "model", "task"))
        if same_task and (named is None or named.forget == row["forget"]):
            original = max(0, row["scenario_seed"] - plan.seed)
            return plan.scenario(row["forget"], row["draw"] or 0, original), row["seed"]
    if named is None:
        if only is None:
            raise PlanError(f"the plan forgets {', '.join(searched)}; choose one with --forget")
        named = plan.scenario(searched[0])
    if plan.retrained is not None and named.forget not in {s.forget for s in plan.scenarios()}:
        raise PlanError(
            f"'retrained' in the plan is a model without {plan.search.forget[0]}, not without "
            f"{named.forget}; remove it from the plan, and one is trained here"
        )
    return named, first


def _prepared(plan: Plan, scenario: Scenario, method: Method, notify: Notify, progress: Notify) -> Prepared:
    """The scenario with its models, trained now if they are not in the cache.

    Args:
        notify: Receives a line for every sign that a checkpoint is not the expected model.
    """
    import torch

    from benchmarks.training.models import test_predictions
    from benchmarks.trial.prepared import prepare
    from benchmarks.trial.sanity import compared, near_chance
    from search.engine.preparation import load_user_models

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    user_models = load_user_models(plan.original(), plan.retrained_model(), [scenario], notify)
    if user_models.original is not None:
        test = test_predictions("original", scenario, user_models.original, device)
        for line in filter(None, [near_chance(test, scenario.classes)]):
            notify(line)
    prepared = prepare(
        scenario,
        recipe=plan.recipe(),
        eval_limit=plan.eval_limit,
        record=method.needs_recording,
        keep_retrained=plan.needs_retrained(),
        references=plan.reference_count(),
        original=user_models.original,
        retrained=user_models.retrained,
        device=device,
        progress=progress,
    )
    if user_models.original is not None:
        for line in compared(prepared.references("validation"), prepared.references("test")):
            notify(line)
    return prepared


def _weights(plan: Plan, scenario: Scenario, result: TrialResult) -> dict[str, torch.Tensor]:
    """The unlearned weights, with the names of the plan's checkpoint if there is one."""
    from benchmarks.training.models import as_in_checkpoint
    from benchmarks.training.networks import build_network
    from benchmarks.weights.adapting import fit

    assert result.model is not None
    weights = {name: value.cpu() for name, value in result.model.state_dict().items()}
    fit(build_network(scenario, scenario.seed), weights)  # without tensors that a method has added
    checkpoint = plan.original()
    return as_in_checkpoint(scenario, checkpoint, weights) if checkpoint else weights


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Use the number of threads of a trial in a worker: another number would change the weights slightly."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
