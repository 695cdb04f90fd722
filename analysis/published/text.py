"""A printed table and the benchmark of the same experiment, cell by cell as text."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.published import PAPERS
from analysis.published.compare import COMPARED, EVERY, OURS, PRINT, UNNAMED
from analysis.studies import SCENARIO, VARIANT
from analysis.text.labels import DASH, mean_std, scenario_label, signed, title, variant


def by_table(compared: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The cells of each printed table, by data set and network of the benchmark, if any cell is compared."""
    for _, rows in compared.groupby([*PRINT, *OURS], sort=False):
        if (rows["status"] == COMPARED).any():
            yield rows


def name_of(rows: pd.DataFrame) -> str:
    """The label of a printed table and of its run, from the rows of a table, data set and network."""
    first = rows.iloc[0]
    printed = f"{PAPERS[first['paper']]}, {first['table'].replace('table', 'table ')}"
    run = scenario_label(first["our_dataset"], first["our_model"])
    return f"{printed} ({', '.join(first[SCENARIO])}), run as {run}"


def verdict(rows: pd.DataFrame) -> str:
    """How many of the benchmark's figures are within the printed spread, and how many cells it leaves empty.

    A sentence is added if the paper does not name its forget set.
    """
    judged, cell = rows["within"].dropna(), ["forget", "method", "metric"]
    every = len(rows[cell].drop_duplicates())
    have = len(rows.loc[rows["status"] == COMPARED, cell].drop_duplicates())
    sentence = (
        f"{int(judged.sum())} of {len(judged)} figures that have a printed spread are within it; "
        f"of {every} printed cells {every - have} have no figure here."
    )
    if (rows["forget"] == UNNAMED).any():
        sentence += (
            " The paper does not name the forget set; figures here are means over those that were run."
        )
    return sentence


def cell_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The compared cells of a table, data set and network as strings with readable heads, a line per cell."""
    cells = rows[rows["status"] == COMPARED]
    within = (
        cells["within"].map({True: "yes", False: "no"}).astype(object).where(cells["within"].notna(), DASH)
    )
    return pd.DataFrame(
        {
            "Forget set": cells["forget"].map(forget_sets),
            "Method": cells["method"],
            "Parameters": [parameters_of(line) for line in cells[VARIANT].itertuples(index=False)],
            "Figure": cells["metric"].map(title),
            "Paper": [
                mean_std(*line) for line in cells[["printed_mean", "printed_std", "metric"]].to_numpy()
            ],
            "Here": [mean_std(*line) for line in cells[["mean", "std", "metric"]].to_numpy()],
            "± over": [_over(*line) for line in cells[["printed_over", "over"]].to_numpy()],
            "n": cells["n"].astype(str),
            "Difference": [signed(*line) for line in cells[["difference", "metric"]].to_numpy()],
            "Within": within,
        }
    )


def _over(printed: str, ours: str) -> str:
    """The units of both deviations of a cell; a value computed from all models at once has no deviation."""
    return printed if pd.isna(ours) or ours == printed else f"{printed}, here {ours}"


def parameters_of(key: tuple[str, ...]) -> str:
    """`tuned`, `transferred from 8`, `published: vgg11`; "" for the reference models."""
    return variant("", *key[1:]).strip(" ()")


def forget_sets(forget: str) -> str:
    """A printed forget set, or a description for all sets and for an unnamed set."""
    return {EVERY: "all that were run", UNNAMED: "not named in the paper"}.get(forget, forget)
