"""Claims about methods and retraining in words: cells of tables, and sentences that say how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.claims import DIFFERS, LINE, TOO_FEW
from analysis.text.labels import DASH, number, signed, title


def shown(claims: pd.DataFrame) -> pd.DataFrame:
    """Claims as a table of text, a row per method or per method and forget set.

    Args:
        claims: Rows of `analysis.claims.claims` or `claims_by_forget`.
    """
    return _by_forget(claims) if "forget" in claims else matrix(claims)


def matrix(claims: pd.DataFrame) -> pd.DataFrame:
    """A row per method and a column per metric, from rows of `analysis.claims.claims`."""
    heads = {metric: title(metric) for metric in dict.fromkeys(claims["metric"])}
    lines = []
    for values, rows in claims.groupby(LINE, sort=False):
        cells = {heads[row["metric"]]: verdict(row) for row in rows.to_dict("records")}
        lines.append(dict(zip(LINE, values, strict=True)) | cells)
    return pd.DataFrame(lines, columns=[*LINE, *heads.values()]).fillna(DASH)


def verdict(row: Mapping[Any, Any]) -> str:
    """A claim in words: `not enough runs to say (12 more would do)`."""
    if row["verdict"] == DIFFERS and row.get("forget_sets", 1) > 1:
        return f"differs on {_few(row['differing'].split(', '))}"
    if row["verdict"] != TOO_FEW:
        return str(row["verdict"])
    if min(row["n"], row.get("n_retrain", row["n"])) < 2:
        return f"{TOO_FEW} (one run shows no spread)"
    if pd.isna(row["more"]):
        return TOO_FEW
    return f"{TOO_FEW} ({row['more']} more would do)"


def how_to_read(claims: pd.DataFrame, margin: float | None) -> str:
    """The meaning of the claims and how sure they are, as a caption of their table."""
    over = " or ".join(dict.fromkeys(claims["over"])) or "seeds"
    allowed = (
        "the typical difference of two retrained models (root mean square, from their spread over seeds)"
        if margin is None
        else f"{margin:g} in the metric's unit"
    )
    return (
        "As retraining: on every forget set the mean is within the margin of the mean of other retrained "
        f"models; the margin is {allowed}. This verdict is wrong in at most 5 % of cases. Differs: on some "
        "forget set there is a difference that chance produces in at most 5 % of cases. Each method and "
        f"metric is judged separately, over {over}. The numbers of further runs are per forget set, for the "
        "method and for retraining; with them a verdict has a probability of 80 % if the differences stay "
        "as they are."
    )


def _by_forget(claims: pd.DataFrame) -> pd.DataFrame:
    rows = claims.to_dict("records")
    cells = {
        "Metric": [title(row["metric"]) for row in rows],
        "Verdict": [verdict(row) for row in rows],
        "Difference": [signed(row["difference"], row["metric"]) for row in rows],
        "95 % interval": [_interval(row) for row in rows],
        "Margin": [number(row["margin"], row["metric"]) for row in rows],
        "Runs": [f"{row['n']} and {row['n_retrain']}" for row in rows],
        "Over": [row["over"] for row in rows],
    }
    return pd.concat([claims[[*LINE, "forget"]].reset_index(drop=True), pd.DataFrame(cells)], axis=1)


def _interval(row: Mapping[Any, Any]) -> str:
    if not math.isfinite(row["low"]):
        return DASH
    return f"{signed(row['low'], row['metric'])} to {signed(row['high'], row['metric'])}"


def _few(names: list[str], most: int = 4) -> str:
    return ", ".join(names) if len(names) <= most else f"{len(names)} forget sets"
