"""Labels: names of metrics with units, methods with regimes, numbers with their spread."""

from __future__ import annotations

import math
from collections.abc import Iterable

from analysis.text.names import printable

_NAMES = {
    "retain_acc": ("Retain accuracy", "%"),
    "forget_acc": ("Forget accuracy", "%"),
    "test_acc": ("Test accuracy", "%"),
    "retain_train_acc": ("Retain accuracy, train", "%"),
    "forget_train_acc": ("Forget accuracy, train", "%"),
    "mia": ("MIA", "%"),
    "mia_threshold": ("MIA threshold", "nats"),
    "mia_train": ("MIA on training images", "%"),
    "mia_retain": ("MIA on the retain set", "%"),
    "mia_test": ("MIA on held-out images", "%"),
    "mia_correctness": ("SVM attack on correctness", "%"),
    "mia_confidence": ("SVM attack on confidence", "%"),
    "mia_entropy": ("SVM attack on entropy", "%"),
    "mia_modified_entropy": ("SVM attack on modified entropy", "%"),
    "mia_probability": ("SVM attack on probabilities", "%"),
    "mia_gap": ("SVM attacks, distance to retrain", "points"),
    "relearn_steps": ("Relearn time", "steps"),
    "relearned": ("Relearned", "%"),
    "synthetic_retain_acc": ("Retain accuracy, synthetic images", "%"),
    "synthetic_forget_acc": ("Forget accuracy, synthetic images", "%"),
    "inversion": ("Recognised in inverted images", "%"),
    "anamnesis_index": ("Anamnesis index", ""),
    "gap": ("Distance to retrain", "points"),
    "objective": ("Objective", "points"),
    "unlearn_s": ("Unlearning time", "s"),
    "eval_s": ("Evaluation time", "s"),
    "mia_difference": ("MIA, difference to retrain", "points"),
    "entropy": ("Entropy", "nats"),
    "loss": ("Loss", "nats"),
    "f_score": ("F-score", ""),
    "total_score": ("Total score", ""),
    "utility": ("Utility", ""),
    "runtime_s": ("Time with evaluation", "s"),
}
_SMALL = ("anamnesis_index", "f_score", "total_score", "utility")  # ratios near 1
DASH = "\N{EN DASH}"


def title(column: str) -> str:
    """A metric's or parameter's name without its unit."""
    name = column.removeprefix("param_")
    if column in _NAMES:
        return _NAMES[column][0]
    return printable(name if column.startswith("param_") else column.replace("_", " "))


def label(column: str) -> str:
    """A metric's or parameter's name with its unit, as axes and table heads show it."""
    unit = _NAMES.get(column, ("", ""))[1]
    return f"{title(column)} ({unit})" if unit else title(column)


def broken(column: str) -> str:
    """A label on two lines, for the axes of low panels."""
    return label(column).replace(" (", "\n(")


def variant(method: str, regime: str = "", preset: str = "", tuned_on: str = "") -> str:
    """A method with the source of its hyper-parameters: `jit (tuned)`, `jit (transferred from 8)`."""
    source = regime
    if preset and regime == "published":
        source = f"published: {preset}"
    elif tuned_on and regime == "transferred":
        source = f"transferred from {tuned_on}"
    elif tuned_on:
        source = regime.replace("tuned", f"tuned on {tuned_on}")
    return printable(f"{method} ({source})" if source else method)


def scenario_label(dataset: str, model: str, *others: str) -> str:
    """The label of a scenario, with "(scaled)" if the data set or network is smaller than published."""
    named = printable(", ".join((dataset, model, *others)))
    return f"{named} (scaled)" if "@" in dataset + model else named


def scaling(scenarios: Iterable[tuple[str, str]]) -> str:
    """A sentence about the data sets and networks that are smaller than published; "" if none are."""
    smaller = {}
    for dataset, model in scenarios:
        whole, at, count = dataset.partition("@")
        if at:
            smaller[dataset] = f"{dataset} is {count} training images of {whole}"
        network, at, pixels = model.partition("@")
        if at:
            smaller[model] = f"{model} is {network} for images of {pixels} pixels"
    if not smaller:
        return ""
    return f"Scaled: {'; '.join(smaller.values())}. Its figures are not those of the full size."


def digits(metric: str, value: float) -> int:
    """Decimals worth printing: one for percent and points, fewer for long times, more for small figures."""
    if metric == "mia_threshold":
        return 3
    if not metric.endswith("_s"):
        return 2 if metric in _SMALL else 1
    return 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0


def number(value: float, metric: str = "") -> str:
    """A figure; a dash if it is missing."""
    return DASH if not math.isfinite(value) else f"{value:.{digits(metric, value)}f}"


def figure(value: float, column: str) -> str:
    """A figure of any column: as `number` if the column is known, else three digits; a dash if missing."""
    if column in _NAMES or not math.isfinite(value):
        return number(value, column)
    return f"{value:.3g}"


def signed(value: float, metric: str = "") -> str:
    """A difference with its sign, zero without one; a dash if it is missing."""
    if not math.isfinite(value):
        return DASH
    decimals = digits(metric, value)
    return f"{value:+.{decimals}f}" if abs(value) >= 0.5 * 10**-decimals else f"{0:.{decimals}f}"


def mean_std(mean: float, std: float, metric: str = "", plus_minus: str = " ± ") -> str:
    """`88.4 ± 0.6`; without the second part if there is no deviation."""
    if not math.isfinite(mean):
        return DASH
    decimals = digits(metric, mean)
    spread = f"{plus_minus}{std:.{decimals}f}" if math.isfinite(std) else ""
    return f"{mean:.{decimals}f}{spread}"


def repetitions(forget_sets: int = 1, originals: int = 1, draws: int = 1, seeds: int = 1) -> str:
    """The unit of a spread: `10 draws of the forget set, one method seed each`; "" for a single trial.

    The spread is over the outermost of originals, draws and seeds that there are several of; inner levels are
    averaged.
    """
    named = ((originals, "original model"), (draws, "draw"), (seeds, "method seed"))
    levels = [(count, word) for count, word in named if count > 1]
    if not levels:
        return f"{forget_sets} forget sets, one method seed each" if forget_sets > 1 else ""
    texts = [f"{count} {word}s" for count, word in levels]
    each = "" if forget_sets > 1 else " each"
    if forget_sets > 1:
        sentence = f"{forget_sets} forget sets with {texts[0]} each"
    else:
        sentence = f"{texts[0]} of the forget set" if levels[0][1] == "draw" else texts[0]
    if texts[1:]:
        sentence += f", means of {' with '.join(texts[1:])}{each}"
    if seeds > 1:
        return sentence
    each = each.strip() if len(levels) == 1 and each else f"per {levels[-1][1]}"
    return f"{sentence}, one method seed {each}"


def shortened(names: Iterable[str], most: int = 24) -> list[str]:
    """Names for figures: long names keep their beginning and end, and different names stay different."""
    every = [printable(name) for name in names]
    short: dict[str, str] = {}
    for name in dict.fromkeys(every):
        cut = text = name if len(name) <= most else f"{name[: most - 10]}\N{HORIZONTAL ELLIPSIS}{name[-9:]}"
        count = 1
        while text in short.values():
            count += 1
            text = f"{cut} ({count})"
        short[name] = text
    return [short[name] for name in every]


def duration(seconds: float) -> str:
    """A readable duration: `4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if not math.isfinite(seconds):
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
