"""Drawing the classes that models name for forgotten images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.drawing.backend import Figure
from analysis.drawing.style import INK, SEQUENTIAL, panels, styled
from analysis.studies import VARIANT
from analysis.text.labels import shortened, variant

MOST_CLASSES = 14  # columns; the rest is one column more
_OTHERS = "others"
_SHOWN = 0.5  # percent, below which a cell would read 0


@styled
def destinations(data: pd.DataFrame) -> Figure:
    """Which classes the models name for the forget images: a panel per forget set, models x classes.

    Args:
        data: Rows of one scenario from `analysis.destinations.destinations`.
    """
    sets = list(dict.fromkeys(data["forget"]))
    tables = [_table(data[data["forget"] == name]) for name in sets]
    names = [str(name) for table in tables for name in table.columns]
    longest = max(map(len, names))
    height = 0.95 + 0.27 * max(len(table) for table in tables) + 0.046 * max(0, longest - 6) * (longest > 4)
    figure, grid = panels(len(sets), 1, 7.2, height)
    for [axes], name, table in zip(grid, sets, tables, strict=True):
        cells = table.to_numpy(dtype=float)
        some = np.where(cells >= _SHOWN, cells, np.nan)  # smaller shares stay white
        image = axes.imshow(some, cmap=SEQUENTIAL, vmin=0, vmax=100, aspect="auto")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        tilted: dict[str, Any] = {"rotation": 45, "ha": "right"} if longest > 4 else {}
        axes.set_xticks(range(cells.shape[1]), shortened(map(str, table.columns)), **tilted)
        axes.set_yticks(range(cells.shape[0]), shortened(table.index, 40))
        axes.set_title(f"forgetting {name}", loc="left")
        for (i, j), value in np.ndenumerate(cells):
            if value >= _SHOWN:
                tone = "white" if value > 35 else INK
                axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=tone)
    grid[-1][0].set_xlabel("Class that the model names")
    bar = figure.colorbar(
        image, ax=[line[0] for line in grid], label="Forget images (%)", pad=0.015, aspect=30
    )
    bar.outline.set_visible(False)
    return figure


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    """Models x classes, retrain first, the classes that most images go to from the left."""
    names = [variant(*key) for key in rows[VARIANT].itertuples(index=False)]
    table = rows.assign(_line=names).pivot_table(index="_line", columns="class", values="share")
    lines = sorted(dict.fromkeys(names), key=lambda name: name != "retrain")
    order = [*table.loc[[n for n in lines if n == "retrain"]].max().sort_values(ascending=False).index]
    table = table.loc[lines, order].fillna(0.0)
    if table.shape[1] <= MOST_CLASSES + 1:
        return table
    kept = set(table.max().nlargest(MOST_CLASSES).index)
    shown = table[[name for name in table.columns if name in kept]]
    return shown.assign(**{_OTHERS: table.drop(columns=shown.columns).sum(axis=1)})
