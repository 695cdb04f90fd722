"""Shell completion of names: the valid names, each with a description."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.registry import Entry

_LONGEST = 72  # characters; typer wraps at 80, and fish reads each line as a name
Offers = list[tuple[str, str]]  # names and descriptions


def method_names() -> Offers:
    """The methods."""
    from benchmarks.methods import methods

    return _offers(methods)


def dataset_names() -> Offers:
    """The registered data sets, without families and variants."""
    from benchmarks.datasets import datasets

    return _offers(datasets)


def model_names() -> Offers:
    """The registered networks, without families and variants."""
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
    """A name and its description, on a single line."""
    return name, textwrap.shorten(what, _LONGEST, placeholder=" ...")


def _offers(entries: Iterable[Entry]) -> Offers:
    return [offer(entry.name, entry.summary) for entry in entries]
