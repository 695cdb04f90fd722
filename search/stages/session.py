"""What the stages of some plans run with, from the first check to the end of the Ray session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console

from benchmarks.datasets import datasets, load
from benchmarks.training.cache import writable_model_folder
from cluster.slots import slots
from search.display.screen import announced, patience
from search.engine.placement import Learned
from search.options import Options
from search.plans.files import check_work
from search.plans.plan import Plan
from search.results.shards import parse
from search.results.storage import probe
from search.stages.stages import Setting


@contextmanager
def opened(plans: Sequence[Plan], options: Options, console: Console) -> Iterator[list[Setting]]:
    """The settings of some plans with the options' changes; what their stages open is closed at the end.

    The place of results is tried before anything is trained.

    Raises:
        PlanError: if the changes make more work than a driver can hold.
        ClusterError: if this machine has too little of what the plans ask for.
        ResultsError: if the place of results cannot be written.
        CacheError: if trained models can be kept nowhere.
        DataError: if a data set cannot be read.
    """
    part = parse(options.shard)
    changed = [_changed(plan, options) for plan in plans]
    resources = changed[0].resources
    code = list(dict.fromkeys(folder for plan in changed for folder in plan.code))
    workers = options.workers or resources.workers
    wanted = slots(workers, resources.cpus_per_trial, resources.gpus_per_trial, options.address, code)
    writable_model_folder()
    shares = Learned(wanted.shares, console.print)
    for note in dict.fromkeys(datasets.get(plan.dataset).note for plan in changed):
        if note:
            console.print(note)
    if options.results is not None:
        with patience(console, f"Trying {options.results}"):
            probe(options.results)
    for name in dict.fromkeys(plan.dataset for plan in changed):
        with announced(console, f"Reading {name}"):
            load(name)
    place = options.results or ""
    stack = ExitStack()
    try:
        yield [
            Setting(plan, place, wanted, shares, console, stack, options.timeout, part, options.retry_failed)
            for plan in changed
        ]
    finally:
        with patience(console, "Stopping Ray"):
            stack.close()


def _changed(plan: Plan, options: Options) -> Plan:
    changes: dict[str, Any] = {"trials": options.trials, "seed": options.seed}
    given = {key: value for key, value in changes.items() if value is not None}
    changed = plan.model_copy(update={"search": plan.search.model_copy(update=given)})
    check_work(changed, lambda *_: "--trials")
    return changed
