"""Drawings of the images that models assign to a forgotten class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.drawing.backend import Figure, Rectangle
from analysis.drawing.style import ACCENT, panels, styled
from analysis.inversions import METRIC, pixels
from analysis.studies import VARIANT
from analysis.text.labels import shortened, variant

_ACROSS = 12  # images in a line
_EDGE = 1  # pixels between images


@styled
def grid(data: pd.DataFrame) -> Figure:
    """A line of images for every model; framed are those in which another network recognises the class.

    Args:
        data: Rows of one scenario and forget set from `analysis.inversions.shown`.
    """
    keys = list(data[[*VARIANT, "shows"]].drop_duplicates().itertuples(index=False, name=None))
    several = data["shows"].nunique() > 1
    figure, lines = panels(len(keys), 1, 7.2, 0.86)
    names = shortened((variant(*map(str, key[:-1])) for key in keys), 60)
    for [axes], key, name in zip(lines, keys, names, strict=True):
        rows = data[(data[[*VARIANT, "shows"]] == list(key)).all(axis=1)].head(_ACROSS)
        images = [pixels(png) for png in rows["png"]]
        high, wide = images[0].shape[:2]
        strip = np.full((high, _ACROSS * (wide + _EDGE), 3), 255, np.uint8)
        for i, (image, taken) in enumerate(zip(images, rows["recognised"], strict=True)):
            left = i * (wide + _EDGE)
            strip[:, left : left + wide] = image[:high, :wide]
            if taken == key[-1]:
                frame = Rectangle((left - 0.5, -0.5), wide, high, fill=False)
                frame.set(edgecolor=ACCENT, linewidth=2, clip_on=False)
                axes.add_patch(frame)
        axes.imshow(strip, interpolation="nearest")
        axes.set_axis_off()
        share = rows[f"{METRIC}_mean"].iloc[0]
        of = f" {key[-1]}" if several else ""
        axes.set_title(f"{name}{of}: recognised {share:.0f} %", loc="left", fontsize=8.5, pad=3)
    return figure
