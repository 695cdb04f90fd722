"""The report's chapter about searches for several objectives."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.drawing import fronts as front_plots
from analysis.report.page import Section, picture
from analysis.results.plan_records import PlanRecord
from analysis.searches.pareto import front, front_sentence
from analysis.studies import Study


def fronts(studies: Sequence[tuple[Study, pd.DataFrame]], record: PlanRecord | None) -> Section | None:
    """The front of every search of a plan whose objective is `pareto`; None for other plans."""
    search = record.values.get("search") if record else None
    if not isinstance(search, dict) or search.get("objective") != "pareto":
        return None
    blocks = []
    for study, frame in studies:
        data = front(frame)
        if len(data):
            caption = f"{study.method}, forgetting {study.forget}: {front_sentence(data)}"
            blocks.append(picture(front_plots.front(data), caption))
    text = (
        "The plan minimises four values at once: the distances to the retrained model in retain accuracy, "
        "forget accuracy and MIA, and the method's seconds. A trial is on the front if no other trial is at "
        "least as good in all four. The knee is the trial of the front nearest to the best of each value, "
        "scaled by the range of the trials; the hypervolume is the share of that range that the front "
        "covers. Trials are single runs, so the front is optimistic. The benchmark runs the trial with the "
        "smallest mean distance."
    )
    return Section("pareto", "Several objectives", [text], blocks) if blocks else None
