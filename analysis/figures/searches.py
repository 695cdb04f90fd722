"""Figures of searches and sensitivity runs: the effect of the hyper-parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from analysis.course import BATCHES, THRESHOLD, over_batches, over_thresholds
from analysis.drawing import course as courses
from analysis.drawing import search as drawings
from analysis.drawing.style import plain
from analysis.figures.plot import Choice, Plot, Plots, Results, named, plots
from analysis.results.ranges import log_parameters
from analysis.searches import sensitivity as sense
from analysis.searches.centres import Figure as Around
from analysis.searches.centres import centre, figures
from analysis.searches.importance import importance as shares
from analysis.studies import METRICS, Study, best, complete, progress, studies
from analysis.text.labels import title, variant

SEARCH = "run 'unlearn search PLAN' into it first"
SENSITIVITY = "run 'unlearn sensitivity PLAN' into it first"


def history(results: Path | str, choice: Choice | None = None) -> Plots:
    """The objective of every trial of a search and the best so far, a figure for each search.

    Args:
        results: A folder, or the address of a prefix in a bucket.
        choice: The trials that count.

    Raises:
        AnalysisError: if there is nothing to draw, or the results cannot be read.
    """
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        for study, frame in studies(source.trials):
            data = progress(frame)
            if data["objective"].notna().any():
                caption = f"{_who(study)}: {len(frame)} trials of a search and the best so far."
                yield Plot(_named("history", study), caption, data, drawings.progress(data))

    return plots("history", made(), SEARCH, source)


def slices(results: Path | str, choice: Choice | None = None) -> Plots:
    """Every metric against every parameter, a dot for each trial of a search; arguments as for `history`."""
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        for study, frame in studies(source.trials):
            points = {m: sense.observations(frame, m) for m in METRICS}
            points = {m: rows for m, rows in points.items() if len(rows)}
            if best(frame) is None or not points or len(complete(frame)) < 2:
                continue
            targets = {m: sense.target(frame, m) for m in points}
            log = log_parameters(frame, study.method, source.ranges)
            drawn = drawings.against_parameters(points, targets, log)
            caption = f"{_who(study)}: the trials of a search; dashed is the retrained model."
            yield Plot(_named("slices", study), caption, _stacked(points), drawn)

    return plots("slices", made(), SEARCH, source)


def importance(results: Path | str, choice: Choice | None = None) -> Plots:
    """Importance of the parameters (PED-ANOVA), with bootstrap intervals; arguments as for `history`."""
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        for study, frame in studies(source.trials):
            answer = shares(frame, source.ranges)
            if not answer.reason:
                caption = f"{_who(study)}: importance of the parameters for the best trials (PED-ANOVA)."
                drawn = drawings.importance(answer.table)
                yield Plot(_named("importance", study), caption, answer.table, drawn)

    return plots("importance", made(), SEARCH, source)


def sensitivity(
    results: Path | str, choice: Choice | None = None, metrics: Sequence[str] = tuple(METRICS)
) -> Plots:
    """Metrics over one parameter at a time around the best or around published values (JiT, figures 7 and 8).

    Arguments as for `history`.

    Args:
        metrics: Columns of the trials table, a row of panels each.
    """
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        for around in figures(source.trials):
            lines = {m: sense.curves(around.rows, m, around.best) for m in metrics if m in around.rows}
            lines = {m: rows for m, rows in lines.items() if len(rows)}
            if not lines:
                continue
            middle = centre(around.rows, [] if around.best is None else [around.best]) or {}
            values = ", ".join(f"{title(name)} = {plain(value)}" for name, value in middle.items())
            presets = sense.published(source.trials, around.study)
            log = log_parameters(around.rows, around.study.method, source.ranges)
            drawn = drawings.sensitivity_curves(lines, log, best=around.best, published=presets)
            caption = (
                f"{_who(around.study)}: one parameter at a time around {values}, mean and standard "
                "deviation over repetitions; dashed is the retrained model."
            )
            yield Plot(_around_named("sensitivity", around), caption, _stacked(lines), drawn)

    return plots("sensitivity", made(), SENSITIVITY, source)


def stopping(results: Path | str, choice: Choice | None = None) -> Plots:
    """GKT over its pseudo-batches, for each threshold of its gate (zero-shot, figure 5).

    Arguments as for `history`. The data are from a sensitivity analysis over `threshold`, whose trials are
    measured while they run.
    """
    source = Results(results, choice)

    def made() -> Iterator[Plot]:
        for around in figures(source.trials):
            data = over_thresholds(around.rows, source.progress)
            if len(data):
                caption = (
                    f"{_who(around.study)}: accuracy while GKT runs, for each threshold of its gate, mean "
                    "and standard deviation over seeds; dashed is the retrained model."
                )
                drawn = courses.course(over_batches(data), [THRESHOLD], BATCHES)
                yield Plot(_around_named("stopping", around), caption, data, drawn)

    needs = "run 'unlearn sensitivity PLAN --method gkt --parameter threshold' into it first"
    return plots("stopping", made(), needs, source)


def _stacked(data: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of every metric below each other, with its name."""
    return pd.concat([rows.assign(metric=metric) for metric, rows in data.items()], ignore_index=True)


def _who(study: Study) -> str:
    return f"{variant(study.method)} on {study.scenario}"


def _named(name: str, study: Study) -> str:
    return named(name, study.dataset, study.model, study.task, study.forget, study.method)


def _around_named(name: str, around: Around) -> str:
    return named(_named(name, around.study), around.preset)
