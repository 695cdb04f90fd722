"""Drawings of searches for several objectives, and of samplers side by side."""

from __future__ import annotations

import pandas as pd

from analysis.drawing.backend import Figure
from analysis.drawing.style import ACCENT, FAINT, INK, legend_below, log_axis, panels, styled
from analysis.searches.pareto import DISTANCES
from analysis.text.labels import label, title

_TONES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")


@styled
def front(data: pd.DataFrame) -> Figure:
    """Each distance against the seconds, the front filled and its knee marked; and the hypervolume.

    Args:
        data: From `analysis.searches.pareto.front`.
    """
    figure, [row] = panels(1, 4, 1.9, 2.3)
    kept, knee = data[data["on_front"]], data[data["knee"]]
    for axes, name in zip(row, DISTANCES, strict=False):
        column = f"{name}_distance"
        axes.plot(data["unlearn_s"], data[column], "o", ms=3, mew=0, color=FAINT, alpha=0.4, label="trial")
        axes.plot(kept["unlearn_s"], kept[column], "o", ms=4, mew=0, color=ACCENT, label="on the front")
        axes.plot(knee["unlearn_s"], knee[column], "*", ms=12, color="#D55E00", label="knee")
        axes.set_title(title(name), loc="left")
        axes.set(xlabel=label("unlearn_s"))
        axes.set_ylim(bottom=0)
        if (data["unlearn_s"] > 0).all():
            log_axis(axes)
    row[0].set_ylabel("Distance to retrain (points)")
    row[-1].set_title("Hypervolume", loc="left")
    row[-1].step(data["trial_number"], data["hypervolume"], where="post", color=INK, lw=1.6)
    row[-1].set(xlabel="Trial", ylim=(0, 1.02))
    legend_below(figure, *row[0].get_legend_handles_labels())
    return figure


@styled
def samplers(data: pd.DataFrame) -> Figure:
    """The best so far by sampler: mean over searches and its 95 % interval.

    Args:
        data: Lines of one method and forget set from `analysis.searches.samplers.sampler_curves`.
    """
    figure, [[axes]] = panels(1, 1, 7.2, 3.0)
    for tone, (name, rows) in zip(_TONES, data.groupby("sampler", sort=True), strict=False):
        count = int(rows["searches"].iloc[0])
        text = f"{name} ({count} {'search' if count == 1 else 'searches'})"
        axes.step(rows["trial"], rows["mean"], where="post", color=tone, lw=1.6, label=text)
        axes.fill_between(rows["trial"], rows["low"], rows["high"], step="post", color=tone, alpha=0.18, lw=0)
    axes.set(xlabel="Trials", ylabel="Best objective so far (points)")
    legend_below(figure, *axes.get_legend_handles_labels())
    return figure
