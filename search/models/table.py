"""The table of `unlearn prepare`: the models, and their accuracy compared with the papers."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.published import original_accuracy
from benchmarks.listing import Listing
from search.engine.preparation import Trained


def listing(models: Iterable[Trained]) -> Listing:
    """A line per model; an original model also has the published retain accuracies of such models."""
    header = ["model", "data set", "role", "test accuracy", "kept epoch", "seconds", "printed"]
    return header, [_line(model) for model in models if "test_acc" in model.report]


def _line(model: Trained) -> list[str]:
    scenario, report = model.needed.scenario, model.report
    trained = "seconds" in report
    return [
        scenario.model,
        scenario.dataset,
        model.name,
        f"{report['test_acc']:.1f} %",
        f"{report['best_epoch']} of {model.epochs}" if trained else "",
        f"{report['seconds']:.1f}{' (from the cache)' if model.from_cache else ''}" if trained else "",
        _published(model) if model.needed.role in ("original", "user") else "",
    ]


def _published(model: Trained) -> str:
    """The range of each paper's table over its forget sets, because the papers give an accuracy for each."""
    scenario = model.needed.scenario
    frame = original_accuracy(scenario.dataset, scenario.model)
    rows = frame[frame["task"] == scenario.task].dropna(subset=["retain_acc"])
    texts = []
    for name, figures in rows.groupby("id")["retain_acc"]:
        low, high = f"{figures.min():.1f}", f"{figures.max():.1f}"
        texts.append(f"{low if low == high else f'{low} to {high}'} % ({name})")
    return ", ".join(texts)
