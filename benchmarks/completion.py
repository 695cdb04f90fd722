"""What a shell offers for a name when Tab is pressed: the names there are, each with what it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.registry import Entry

_LONGEST = 72  # characters; typer breaks what does not fit into 80, and fish takes each line for a name
Offers = list[tuple[str, str]]  # a name, and what it is


def method_names() -> Offers:
    """The methods."""
    from benchmarks.methods import methods

    return _offers(methods)


def dataset_names() -> Offers:
    """The data sets that have a name of their own."""
    from benchmarks.datasets import datasets

    return _offers(datasets)


def model_names() -> Offers:
    """The networks that have a name of their own."""
    from benchmarks.models import models

    return _offers(models)


def metric_names() -> Offers:
    """The metrics."""
    from benchmarks.metrics import metrics

    return _offers(metrics)


def task_names() -> list[str]:
    """The tasks."""
    from benchmarks.scenarios.scenario import TASKS

    return list(TASKS)


def offer(name: str, what: str) -> tuple[str, str]:
    """A name and what it is, on the one line that shells have for it."""
    return name, textwrap.shorten(what, _LONGEST, placeholder=" ...")


def _offers(entries: Iterable[Entry]) -> Offers:
    return [offer(entry.name, entry.summary) for entry in entries]
