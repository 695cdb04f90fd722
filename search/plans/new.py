"""New plans: a commented file for a data set, a network, methods and a task."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.datasets import DataSource, datasets
from benchmarks.errors import InvalidScenario, UnknownName, printable
from benchmarks.hyperparameters import declared
from benchmarks.methods import methods
from benchmarks.models import models
from benchmarks.registry import Entry, Registry
from benchmarks.scenarios.scenario import TASKS, method_task
from search.errors import PlanError
from search.plans.files import parse

E = TypeVar("E", bound=Entry)
_PREFERRED = ("jit", "ssd", "finetune")
_FORGET = {
    "full_class": "a class name; a list searches each of several, A+B forgets two together",
    "sub_class": "a class inside a superclass; a list searches each of several",
    "random": "a number of training images, a share of them, or file:ids.txt",
    "identities": "a person, a number of people, or a share of them",
    "sequence": "requests in their order, joined by >",
}
_TEMPLATE = """\
# Forget {what} of {dataset}. Every key of a plan: docs/plans.md
name: {name}
dataset: {dataset}  # others: unlearn list datasets; your own images: image_folder:FOLDER
model: {model}  # others: unlearn list models; your own weights: checkpoint: model.pt
task: {task}  # {tasks}
methods: [{methods}]  # others: unlearn list methods; all: every one for the task

search:  # finds hyper-parameters on validation images
  forget: {forget}  # {forgets}
  trials: {trials}  # of each method on each forget set; the papers' searches have 250
  # objective: pareto  # by default gap, the mean distance to the retrained model
{examples}
benchmark:  # on test images, compared with retraining and published values
  forget: {forget}
  seeds: 3  # repetitions
  beside: [finetune]  # methods that run with their published values

# resources: {{workers: 2}}  # trials at once; by default as many as fit
"""


@dataclass(frozen=True)
class Choice:
    """The choices for a new plan.

    Attributes:
        forget: Forget sets, each searched and benchmarked.
        trials: Number of trials of each method on each forget set.
    """

    dataset: str
    model: str
    task: str
    methods: tuple[str, ...]
    forget: tuple[str, ...]
    trials: int


def plan_text(choice: Choice, name: str, folder: Path | None = None) -> str:
    """The text of a valid plan.

    Args:
        name: The name of the plan, which begins the names of its runs.
        folder: The folder of the plan; files that list images are in it.

    Raises:
        PlanError: for choices that do not fit together.
    """
    forget = f"[{', '.join(json.dumps(each, ensure_ascii=False) for each in choice.forget)}]"
    text = _TEMPLATE.format(
        name=name,
        what=printable(" and ".join(choice.forget)),
        dataset=_scalar(choice.dataset),
        model=_scalar(choice.model),
        task=choice.task,
        tasks=f"one of {', '.join(TASKS)}",
        methods=", ".join(choice.methods),
        examples=_examples(choice.methods[0]),
        forget=forget,
        forgets=_FORGET[choice.task],
        trials=choice.trials,
    )
    try:
        parse(text, "plan", folder=folder, tell=lambda line: None)
    except PlanError as error:
        raise PlanError(re.sub(r"^plan:\d+: ", "", str(error))) from None
    return text


def _scalar(name: str) -> str:
    return name if re.fullmatch(r"[\w.:@/+-]+", name) else json.dumps(name, ensure_ascii=False)


def _examples(method: str) -> str:
    """Further keys for the search of a method, as comments."""
    searched = [p for p in declared(methods.get(method).Params) if p.searched]
    if not searched:
        return ""
    p = searched[0]
    ranges, points = f"{p.name}: [{p.low:g}, {p.high:g}]", f"{p.name}: {p.default}"
    return (
        f"  # space: {{{method}: {{{ranges}}}}}  # other ranges; see unlearn show {method}\n"
        f"  # start: {{{method}: [{{{points}}}]}}  # your own points to try first\n"
    )


def write_plan(choice: Choice, file: Path) -> None:
    """Write a plan that has the name of its file.

    Raises:
        PlanError: if the file exists or cannot be written, or for choices that do not fit together.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).lstrip("._-")[:100] or "plan"
    text = plan_text(choice, name, file.parent)
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise PlanError(f"{file} exists already; give another name, or delete it first") from None
    except OSError as error:
        raise PlanError(f"{file} cannot be written: {error.strerror}") from error


def usual_model(dataset: str) -> str:
    """A small network that takes the images of a data set."""
    return "cnn2" if datasets.get(dataset).image_size < models.get("resnet18").min_size * 2 else "resnet18"


def usual_methods(task: str) -> tuple[str, ...]:
    """A few methods that are defined for a task."""
    return tuple(name for name in _PREFERRED if method_task(task) in methods.get(name).tasks)


def usual_forget(dataset: str, task: str) -> tuple[str, ...]:
    """A forget set of a data set for a task."""
    source: DataSource = datasets.get(dataset)
    if task == "random":
        return ("10%",)
    if task == "identities":
        return (source.identities[0] if source.identities else "1",)
    names = source.classes if task == "sub_class" else source.names(source.predicts)
    return (">".join(names[:2]) if task == "sequence" else names[0],)


def known(registry: Registry[E], name: str) -> str:
    """The name of a data set or network that does not run code.

    Raises:
        InvalidScenario: for user-defined code, which only a plan can name.
        UnknownName: with the nearest names.
    """
    if name.startswith("import:"):
        raise InvalidScenario(
            f"'{name}' is user-defined code, which is not run here; choose another, then edit the plan"
        )
    return registry.get(name).name


def known_task(task: str) -> str:
    """The name of a task.

    Raises:
        UnknownName: with the nearest names.
    """
    if task not in TASKS:
        raise UnknownName("task", task, TASKS)
    return task
