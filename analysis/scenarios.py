"""The rows of each scenario of a table."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.studies import SCENARIO
from analysis.text.labels import scenario_label


def by_scenario(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each scenario with its display name, in the order of the frame."""
    for values, rows in frame.groupby(SCENARIO, sort=False):
        yield scenario_label(*map(str, values)), rows
