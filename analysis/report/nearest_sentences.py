"""Sentences about a result table: the method nearest to retraining, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.nearest import Line, against, distances, leaders, of_lines
from analysis.statistics.basic import Difference
from analysis.studies import VARIANT
from analysis.text.labels import mean_std, number, variant

MOST = 6  # names in a list
RETRAIN: Line = ("retrain", "", "", "")
ORIGINAL: Line = ("original", "", "", "")
Summary = Mapping[Line, Mapping[Any, Any]]


def main_sentence(name: str, rows: pd.DataFrame, trials: pd.DataFrame, lines: Collection[Line]) -> str:
    """The nearest method, those that cannot be distinguished from it, retraining and the original model.

    Args:
        name: The scenario.
        rows: Its rows of `analysis.breakdown.overall`.
        trials: The trials that they summarise.
        lines: The rows that may be called nearest.
    """
    keys = rows[VARIANT].itertuples(index=False, name=None)
    summary = dict(zip(keys, rows.to_dict("records"), strict=True))
    far = distances(trials, "gap")
    candidates = of_lines(far, lines)
    sentences = (
        [_leading(name, leaders(candidates), summary, several=len(lines) > 1)] if len(candidates) else []
    )
    if len(of_lines(far, [RETRAIN])):
        sentences.append(_retrained(summary, {k: d for k, d in against(far, RETRAIN).items() if k in lines}))
    if len(of_lines(far, [ORIGINAL])):
        sentences.append(
            f"The original model, which forgot nothing, is {_gap(summary[ORIGINAL])} points away."
        )
    return " ".join(sentences) or name


def _leading(name: str, alike: Mapping[Line, Difference], summary: Summary, *, several: bool) -> str:
    """The nearest line, those that cannot be distinguished from it, and the fastest of these."""
    first, *others = alike
    text = f"On {name}: {variant(*first)} comes nearest to retraining: {_gap(summary[first])} points away."
    if several and alike[first].n < 2:
        return f"{text} One repetition cannot tell methods apart."
    if not others:
        return text
    count = min(alike[key].n for key in others)
    names = [f"{variant(*key)} ({_gap(summary[key])})" for key in others]
    text += f" {_listed(names)} cannot be distinguished from it with {count} repetitions."
    seconds = {key: float(summary[key]["unlearn_s_mean"]) for key in alike}
    fastest = min(seconds, key=lambda key: seconds[key])
    if seconds[first] >= 2 * seconds[fastest] > 0:
        times = [number(seconds[key], "unlearn_s") for key in (fastest, first)]
        text += (
            f" Of these {variant(*fastest)} is the fastest: {times[0]} s against {times[1]} s, "
            f"{seconds[first] / seconds[fastest]:.0f} times faster than {variant(*first)}."
        )
    return text


def _retrained(summary: Summary, differences: Mapping[Line, Difference]) -> str:
    """The lines that are nearer than a second retrained model, and those that cannot be distinguished."""
    text = f"Retraining again with another seed is itself {_gap(summary[RETRAIN])} points away."
    known = {key: d for key, d in differences.items() if math.isfinite(d.low)}
    nearer = [f"{variant(*key)} by {_interval(d)}" for key, d in known.items() if d.high < 0]
    alike = [variant(*key) for key, d in known.items() if not d.is_clear]
    if nearer:
        text += f" Nearer than that: {_listed(nearer)}."
    if alike:
        text += f" {_listed(alike)} cannot be distinguished from it."
    if known and not nearer and not alike:
        text += " Every method is further away."
    return text


def _interval(d: Difference) -> str:
    """The size of a negative difference, with its interval."""
    return f"{-d.mean:.1f} (95 % interval {-d.high:.1f} to {-d.low:.1f})"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:MOST])
    if len(names) > MOST:
        shown.append(f"{len(names) - MOST} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _gap(row: Mapping[Any, Any]) -> str:
    return mean_std(float(row["gap_mean"]), float(row["gap_std"]), "gap")
