"""A printed table and ours of the same experiment, cell by cell as text."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.published import PAPERS
from analysis.published.compare import COMPARED, EVERY, OURS, PRINT, UNNAMED
from analysis.studies import SCENARIO, VARIANT
from analysis.text.labels import DASH, mean_std, scenario_label, signed, title, variant


def by_table(compared: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The cells of each printed table and place of ours that have figures of both sides."""
    for _, rows in compared.groupby([*PRINT, *OURS], sort=False):
        if (rows["status"] == COMPARED).any():
            yield rows


def name_of(rows: pd.DataFrame) -> str:
    """A printed table and where it was run, of the rows of one table and place."""
    first = rows.iloc[0]
    printed = f"{PAPERS[first['paper']]}, {first['table'].replace('table', 'table ')}"
    run = scenario_label(first["our_dataset"], first["our_model"])
    return f"{printed} ({', '.join(first[SCENARIO])}), run as {run}"


def verdict(rows: pd.DataFrame) -> str:
    """How many of our figures lie within the printed spread, and how many cells have none of ours.

    Where print does not name what it forgets, that is said too.
    """
    judged, cell = rows["within"].dropna(), ["forget", "method", "metric"]
    every = len(rows[cell].drop_duplicates())
    have = len(rows.loc[rows["status"] == COMPARED, cell].drop_duplicates())
    sentence = (
        f"{int(judged.sum())} of {len(judged)} figures that have a printed spread lie within it; "
        f"of {every} printed cells {every - have} have no figure here."
    )
    if (rows["forget"] == UNNAMED).any():
        sentence += " Print does not name the forget set; ours are means over those that were run."
    return sentence


def cell_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The compared cells of one table and place as strings with readable heads, one line per cell."""
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
            "Print": [
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
    """What both deviations of a cell are over; a value made of all models at once has none of ours."""
    return printed if pd.isna(ours) or ours == printed else f"{printed}, here {ours}"


def parameters_of(key: tuple[str, ...]) -> str:
    """`tuned`, `transferred from 8`, `published: vgg11`; nothing for the reference models."""
    return variant("", *key[1:]).strip(" ()")


def forget_sets(forget: str) -> str:
    """A printed forget set, or what stands for several or none."""
    return {EVERY: "all that were run", UNNAMED: "not named in print"}.get(forget, forget)
