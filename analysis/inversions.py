"""Images that models assign to a forgotten class, from the table `inversions`."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
import pandas as pd
from PIL import Image

from analysis.breakdown import benchmarked, merge_tuned, ordered
from analysis.errors import AnalysisError
from analysis.spread import UNIT, units
from analysis.studies import SCENARIO, VARIANT, complete

METRIC = "inversion"
_MOST_PIXELS = 2**20  # of an image, far above those of any data set here
_KEYS = [*SCENARIO, "forget", *VARIANT]
_HEADER = [*_KEYS, "n", f"{METRIC}_mean", f"{METRIC}_std", "shows", "image", "recognised", "png"]


def shown(trials: pd.DataFrame, inversions: pd.DataFrame) -> pd.DataFrame:
    """The images of the first trial of every method, and the share of recognised images of all its trials.

    Args:
        trials, inversions: The two tables.

    Returns:
        dataset, model, task, forget, method, regime, preset, tuned_on, n (trials), inversion_mean and
        inversion_std (percent; ddof=1, over seeds, or over draws or originals where there are several; nan
        for a single one), then of each image shows (the forgotten class), image (from 0), recognised (the
        class that an independent network takes it for) and png (base64). Original first, then retrain, then
        the methods by name.
    """
    if inversions.empty or METRIC not in trials:
        return pd.DataFrame(columns=_HEADER)
    rows = complete(merge_tuned(benchmarked(trials))).dropna(subset=[METRIC])
    rows = rows[rows["trial_id"].isin(set(inversions["trial_id"]))]
    if rows.empty:
        return pd.DataFrame(columns=_HEADER)
    first = rows.sort_values(UNIT, kind="stable").drop_duplicates(_KEYS)
    independent = pd.concat([units(part, [METRIC], _KEYS) for _, part in rows.groupby(_KEYS)])
    table = rows.groupby(_KEYS).agg(n=("trial_id", "size"))
    spread = independent.groupby(_KEYS)[METRIC]
    table = table.assign(**{f"{METRIC}_mean": spread.mean(), f"{METRIC}_std": spread.std()}).reset_index()
    images = inversions[["trial_id", "run_id", "shows", "image", "recognised", "png"]]
    images = first[[*_KEYS, "trial_id", "run_id"]].merge(images, on=["trial_id", "run_id"])
    return ordered(table.merge(images, on=_KEYS)[_HEADER], [*_KEYS, "shows", "image"])


def pixels(png: str) -> np.ndarray:
    """An image of the table: uint8 of shape (height, width, 3).

    Raises:
        AnalysisError: for a text that is not an image of a reasonable size.
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(png, validate=True)), formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels")
            return np.asarray(image.convert("RGB"))
    except (binascii.Error, ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise AnalysisError(
            "the table 'inversions' has an image that is not a PNG in base64; delete its run, and run the "
            "benchmark again"
        ) from error
