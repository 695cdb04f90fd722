"""The table of `unlearn prepare`: what was trained, and how well it does beside print."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.published import original_accuracy
from benchmarks.listing import Listing
from search.engine.preparation import Trained


def listing(models: Iterable[Trained]) -> Listing:
    """A line per model; an original model has the printed retain accuracies of its kind beside its own."""
    header = ["model", "data set", "role", "test accuracy", "kept epoch", "seconds", "printed"]
    return header, [_line(model) for model in models if "test_acc" in model.report]


def _line(model: Trained) -> list[str]:
    scenario, found = model.needed.scenario, model.report
    trained = "seconds" in found
    return [
        scenario.model,
        scenario.dataset,
        model.name,
        f"{found['test_acc']:.1f} %",
        f"{found['best_epoch']} of {model.epochs}" if trained else "",
        f"{found['seconds']:.1f}{' (from the cache)' if model.from_cache else ''}" if trained else "",
        _printed(model) if model.needed.role in ("original", "own") else "",
    ]


def _printed(model: Trained) -> str:
    """The range of each paper's table over its forget sets, as a model has one accuracy and each its own."""
    scenario = model.needed.scenario
    frame = original_accuracy(scenario.dataset, scenario.model)
    own = frame[frame["task"] == scenario.task].dropna(subset=["retain_acc"])
    texts = []
    for name, figures in own.groupby("id")["retain_acc"]:
        low, high = f"{figures.min():.1f}", f"{figures.max():.1f}"
        texts.append(f"{low if low == high else f'{low} to {high}'} % ({name})")
    return ", ".join(texts)
