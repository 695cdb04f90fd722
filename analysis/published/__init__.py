"""The papers' tables as data: every printed figure, under the names that this project uses.

The papers: `jit` (Foster et al.: An Information Theoretic Approach to Machine Unlearning), `ssd` (Foster et
al.: Fast Machine Unlearning Without Retraining Through Selective Synaptic Dampening), `zero-shot`
(Chundawat et al.: Zero-Shot Machine Unlearning), `akbari` (a report on unlearning of random images and of
people). Their method "amnesiac" is training on random labels, which is `amnesiac` here too.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from analysis.errors import AnalysisError
from analysis.published.tables import plain_name, printed_tables

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AGGREGATE",
    "FRACTION",
    "PAPERS",
    "as_printed",
    "original_accuracy",
    "published",
    "select",
]
PAPERS = {"jit": "JiT", "ssd": "SSD", "zero-shot": "Zero-shot", "akbari": "Akbari"}
AGGREGATE = ", "  # between forget sets over which a printed figure was averaged
FRACTION = "std printed as a fraction"
_MODELS = {"vit": "vit_b16", "vit_l": "vit_l16"}
_CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_FORGET: dict[str, dict[str, str]] = {
    "cifar10": {str(i): name for i, name in enumerate(_CIFAR10)},
    "cifar20": {
        "electrical_devices": "household_electrical_devices",
        "natural_scenes": "large_natural_outdoor_scenes",
        "vegetables": "fruit_and_vegetables",
        "vehicle2": "vehicles_2",
    },
    # The paper has positions in the sorted list of the 105 people
    "pins": {
        "1": "Alex Lawther",
        "10": "Bill Gates",
        "20": "Danielle Panabaker",
        "30": "Hugh Jackman",
        "40": "Josh Radnor",
    },
    "celeba": {"2%": "164 of female+male"},  # of 8,192 people with training images
}


def published() -> pd.DataFrame:
    """Every printed figure, one row each, in the order of the papers.

    Returns:
        paper, table, id (`jit-table8`), dataset, model, task, forget (classes forgotten together are joined
        by "+"; a figure averaged over several experiments has their forget sets joined by ", "; empty if the
        paper does not name it), method, metric, mean, std (in the unit of the mean; nan if the paper has
        none), note. Percent, except for runtime_s (seconds, evaluation included), anamnesis_index, f_score
        and total_score.
    """
    return _read().copy()


def select(table: str | None) -> pd.DataFrame:
    """The rows of a printed table, with both parts if it has two, or of all tables if `table` is None.

    Raises:
        AnalysisError: for a table without figures, with the plan that it belongs to, or for an unknown table,
            with the nearest names.
    """
    frame = published()
    if table is None:
        return frame
    name = plain_name(table)
    rows = frame[frame["id"].str.fullmatch(re.escape(name) + "[a-z]?")]
    if rows.empty:
        raise AnalysisError(_without_figures(name, list(dict.fromkeys(frame["id"]))))
    return rows.reset_index(drop=True)


def as_printed(dataset: str, model: str) -> tuple[str, str]:
    """The names of a data set and a network in the papers' tables: without variants and sizes."""
    dataset, model = dataset.partition("@")[0], model.partition("@")[0]
    return dataset.removesuffix("_published"), model.removesuffix("_133m")


def original_accuracy(dataset: str, model: str) -> pd.DataFrame:
    """The accuracies of the papers' original models, for comparison with your own.

    Args:
        dataset, model: Names as in plans, also of scaled data sets and of other forms of a network.

    Returns:
        paper, table, id, task, forget, retain_acc, forget_acc (percent; nan if not printed), a row per
        printed model and forget set; empty if no paper has this data set and network.
    """
    frame = published()
    data, network = as_printed(dataset, model)
    keys = ["paper", "table", "id", "task", "forget"]
    accuracies = ["retain_acc", "forget_acc"]
    rows = frame[
        (frame["dataset"] == data)
        & (frame["model"] == network)
        & (frame["method"] == "original")
        & frame["metric"].isin(accuracies)
    ]
    accuracies_by_set = rows.pivot(index=keys, columns="metric", values="mean").reindex(columns=accuracies)
    return accuracies_by_set.rename_axis(columns=None).reset_index()


def _without_figures(name: str, names: list[str]) -> str:
    known = printed_tables().get(name)
    if known is None:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
        valid = f"did you mean {' or '.join(map(repr, near))}?" if near else f"valid: {', '.join(names)}"
        return f"unknown published table '{name}'; {valid}"
    if not known.plans:
        return f"there is nothing to compare: {known.location}"
    return f"{name} has no figures to compare with; compare {' or '.join(known.plans)}"


@cache
def _read() -> pd.DataFrame:
    import pandas as pd

    path = files("analysis.published") / "published.csv"
    with path.open(encoding="utf-8") as stream:
        frame = pd.read_csv(stream, dtype=str, keep_default_na=False)
    frame = frame.rename(columns={"scenario": "task"})
    for name in ("mean", "std"):
        frame[name] = pd.to_numeric(frame[name])
    frame["std"] *= frame["note"].eq(FRACTION).map({True: 100.0, False: 1.0})
    frame["model"] = frame["model"].replace(_MODELS)
    frame["forget"] = [
        _forget(dataset, forget) for dataset, forget in zip(frame["dataset"], frame["forget"], strict=True)
    ]
    # Printed as "best attack", but it is the mean of the four attacks' distances
    frame["metric"] = frame["metric"].replace("mia_best_gap", "mia_gap")
    frame.insert(2, "id", frame["paper"] + "-" + frame["table"])
    return frame


def _forget(dataset: str, printed: str) -> str:
    """A forget set's name in plans. Only Pins has figures averaged over experiments, each with one person."""
    names = _FORGET.get(dataset, {})
    between = AGGREGATE if dataset == "pins" else "+"
    return between.join(names.get(part, part) for part in printed.split(","))
