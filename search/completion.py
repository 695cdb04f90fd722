"""Shell completion of plans: the shipped ones, and YAML files."""

from __future__ import annotations

from pathlib import Path

from benchmarks.completion import Offers, dataset_names, method_names, metric_names, model_names, offer


def plan_names() -> Offers:
    """The plans that ship with the package."""
    from search.plans.sources import shipped, summary

    return [offer(name, summary(path)) for name, path in shipped().items()]


def plans(incomplete: str) -> Offers:
    """The plans that ship, and the YAML files in the folder of an incomplete path."""
    folder = incomplete[: incomplete.rfind("/") + 1]
    directory = Path(folder or ".").expanduser()
    files = sorted(file.name for file in directory.iterdir()) if directory.is_dir() else []
    return [*plan_names(), *((f"{folder}{f}", "a file") for f in files if f.endswith((".yaml", ".yml")))]


def everything() -> Offers:
    """The plans that ship, and the methods, networks, data sets and metrics."""
    return [*method_names(), *model_names(), *dataset_names(), *metric_names(), *plan_names()]
