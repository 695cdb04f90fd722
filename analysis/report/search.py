"""The report's chapters about searches: best parameters, fresh seeds, sensitivity, importance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.drawing import search as plots
from analysis.drawing.style import ACCENT, plain
from analysis.report import search_charts
from analysis.report.page import Block, Section, Table, picture, table
from analysis.report.search_charts import Searches
from analysis.results.ranges import Range, Ranges, log_parameters
from analysis.searches import sensitivity as sense
from analysis.searches.centres import Figure as Around
from analysis.searches.centres import centre, figures
from analysis.searches.importance import Importance
from analysis.statistics.basic import WinnersCurse, winners_curse
from analysis.studies import METRICS, Study, best, complete, fully_evaluated, parameters, varied
from analysis.text.labels import DASH, duration, mean_std, number, title, variant

Blocks = list[Block]


def searches(
    studies: Searches, palette: Mapping[str, str], range_of: Callable[[Study, str], Range | None]
) -> Section | None:
    """Best parameters of every search, ranges that may be too narrow, and the searches' courses.

    Args:
        studies: The searches with their rows.
        range_of: The range in which a study searched a parameter column, if it is known.
    """
    rows: list[list[str]] = []
    still: list[list[str]] = []
    narrow: list[list[str]] = []
    for study, frame in studies:
        winner = best(frame)
        took = (frame["finished_at"].max() - frame["started_at"].min()).total_seconds()
        cells = [study.method, study.forget, str(len(frame))]
        cells += [str(int((frame["state"] == "failed").sum())), duration(took)]
        if winner is None:
            rows.append([*cells, DASH, DASH, DASH, "no trial was complete"])
            continue
        moved, fixed_values = _parameter_texts(frame, winner)
        near = int((_finished(frame)["objective"] <= winner["objective"] + 1).sum()) - 1
        reached = [number(winner["objective"]), str(int(winner["trial_number"])), str(near)]
        rows.append([*cells, *reached, moved])
        narrow += _too_narrow(study, winner, {name: range_of(study, name) for name in varied(frame)})
        still += [[study.method, study.forget, fixed_values]] if fixed_values else []
    if not rows:
        return None
    heads = ["Method", "Forget set", "Trials", "Failed", "Wall time", "Objective (points)", "Best trial"]
    heads += ["Others within a point", "Best parameters"]
    caption = (
        "The best trial of each search on validation images. It was picked for being low among many noisy "
        "trials, so its objective is too hopeful; trials within a point of it may be as good"
    )
    blocks: Blocks = [table(caption, heads, rows, set(heads[2:-1]))]
    if narrow:
        caption = "Ranges that may be too narrow, because the best value is near an end: a hint, not a test"
        blocks.append(table(caption, ["Method", "Forget set", "Parameter"], narrow))
    if still:
        caption = "Parameters that the searches did not vary, with the values of the best trial"
        blocks.append(table(caption, ["Method", "Forget set", "Values"], still, folded=True))
    done = with_figures(studies)
    blocks += [search_charts.history(done, palette), search_charts.pareto(done, palette)] if done else []
    return Section("searches", "Searches", _evaluated(pd.concat([frame for _, frame in studies])), blocks)


def check(trials: pd.DataFrame) -> Section | None:
    """The winner's curse: the best parameters of each search on seeds that it did not use."""
    curses = winners_curse(trials)
    if not curses:
        return None
    heads = ["Method", "Forget set", "In the search (points)", "Fresh (points)", "Fresh"]
    heads += ["Difference", "95 % interval"]
    rows = [
        [
            c.study.method,
            c.study.forget,
            number(c.searched),
            mean_std(c.fresh_mean, c.fresh_std),
            _fresh(c),
            f"{c.difference:+.1f}",
            f"{c.low:+.1f} to {c.high:+.1f}" if np.isfinite(c.low) else DASH,
        ]
        for c in curses
    ]
    text = [
        "The best of many noisy trials is partly luck, so its parameters ran again on fresh seeds, or, where "
        "the benchmark has them, on draws of the forget set that the search never saw."
    ]
    text += _curse_sentences(curses)
    caption = (
        "Distance to retrain of the best trial of each search, in the search and on fresh seeds or draws, "
        "with the standard deviation and the 95 % interval of the difference over these"
    )
    block = table(caption, heads, rows, set(heads[2:]))
    return Section("check", "Does the best hold?", text, [block])


def sensitivity(
    trials: pd.DataFrame, studies: Searches, ranges: Ranges, palette: Mapping[str, str]
) -> Section | None:
    """One parameter at a time and grids from sensitivity runs; interactive charts of the searches' trials."""
    blocks: Blocks = []
    for figure in figures(trials):
        values = sense.published(trials, figure.study)
        blocks += _designed(figure, values, ranges, palette)
    moved = [
        (study, rows) for study, rows in with_figures(studies) if varied(rows) and _several_complete(rows)
    ]
    if moved:
        blocks.append(search_charts.slices(moved, palette, ranges))
        blocks.append(_best_tenths(moved))
        if any(len(varied(rows)) > 1 for _, rows in moved):
            blocks.append(search_charts.contour(moved))
        blocks.append(search_charts.parallel(moved))
    return Section("sensitivity", "Sensitivity to the hyper-parameters", [], blocks) if blocks else None


def importance(studies: Searches, shares: Sequence[Importance]) -> Section | None:
    """Importance of the parameters, and the searches for which it cannot be estimated."""
    rows, without = [], []
    for (study, _), known in zip(studies, shares, strict=True):
        if known.reason:
            without.append([study.method, study.forget, known.reason])
        for i, share in enumerate(known.shares):
            interval = f"{share.low:.0%} to {share.high:.0%}"
            figures = [title(share.parameter), f"{share.importance:.0%}", interval]
            rows.append([study.method, study.forget, str(i + 1), *figures])
    blocks: Blocks = []
    heads = ["Method", "Forget set", "Rank", "Parameter", "Share", "90 % interval"]
    if rows:
        some = [pair for pair, known in zip(studies, shares, strict=True) if not known.reason]
        blocks.append(search_charts.importances(some))
        caption = (
            "Importance of each parameter in each search; intervals are from a bootstrap over the trials"
        )
        blocks.append(table(caption, heads, rows, {"Rank", *heads[4:]}, folded=len(rows) > 40))
    if without:
        caption = "Searches for which importance cannot be estimated"
        blocks.append(table(caption, ["Method", "Forget set", "Reason"], without))
    return Section("importance", "Importance of the hyper-parameters", [], blocks) if blocks else None


def with_figures(studies: Searches) -> Searches:
    """The searches with at least one complete trial."""
    return [(study, rows) for study, rows in studies if best(rows) is not None]


def _designed(
    figure: Around, published: Mapping[str, Mapping[float, str]], ranges: Ranges, palette: Mapping[str, str]
) -> Blocks:
    blocks: Blocks = []
    study, frame, winner = figure.study, figure.rows, figure.best
    log = log_parameters(frame, study.method, ranges)
    tone = palette.get(study.method, ACCENT)
    lines = {m: sense.curves(frame, m, winner) for m in METRICS}
    lines = {m: rows for m, rows in lines.items() if len(rows)}
    if lines:
        middle = centre(frame, [] if winner is None else [winner]) or {}
        around = ", ".join(f"{title(name)} = {plain(value)}" for name, value in middle.items())
        caption = (
            f"{_name(study)}: one parameter at a time around {around}. {_curve_sentence(lines.get('gap'))}"
        )
        caption += _published_sentence({name: published.get(name, {}) for name in middle})
        drawn = plots.sensitivity_curves(lines, log, tone, winner, published)
        blocks.append(picture(drawn, caption))
    for pair in itertools.combinations(varied(frame), 2):
        cells = {m: sense.grid(frame, m, pair) for m in METRICS}
        cells = {m: rows for m, rows in cells.items() if len(rows)}
        if not cells:
            continue
        targets = {m: sense.target(frame, m) for m in cells}
        names = " and ".join(map(title, pair))
        caption = f"{_name(study)}: a grid of {names}; each line is one value of {title(pair[1])}."
        blocks.append(picture(plots.grid_lines(cells, targets, log), caption))
        if "gap" in cells:
            low = cells["gap"].nsmallest(1, "mean").iloc[0]
            at = " and ".join(f"{title(name)} = {plain(float(low[name]))}" for name in pair)
            caption = (
                f"{_name(study)}: distance to retrain on the grid, mean over seeds; lowest at {at} with "
                f"{low['mean']:.1f} points. The figure above shows the spread."
            )
            blocks.append(picture(plots.parameter_map(cells["gap"], as_grid=True), caption))
    return blocks


def _curve_sentence(rows: pd.DataFrame | None) -> str:
    sentences = []
    for name, line in rows.groupby("parameter", sort=False) if rows is not None else ():
        low, high = line.nsmallest(1, "mean").iloc[0], line["mean"].max()
        middle = line.loc[line["at_centre"] & (line["value"] != low["value"]), "mean"]
        at_centre = f", {middle.iloc[0]:.1f} at the centre," if len(middle) else ""
        sentences.append(
            f"Over {title(str(name))} the distance to retrain is lowest at {plain(float(low['value']))} "
            f"({low['mean']:.1f} points){at_centre} and reaches {high:.1f}."
        )
    return " ".join(sentences)


def _fresh(c: WinnersCurse) -> str:
    """`4 seeds`, `1 draw`."""
    return f"{c.n} {c.over if c.n > 1 else c.over.removesuffix('s')}"


def _published_sentence(published: Mapping[str, Mapping[float, str]]) -> str:
    values = [
        f"{title(name)} = {plain(value)} ({presets})"
        for name, known in published.items()
        for value, presets in sorted(known.items())
    ]
    if not values:
        return ""
    return f" Published (squares; the other parameters of a preset differ from these): {', '.join(values)}."


def _curse_sentences(curses: Sequence[WinnersCurse]) -> list[str]:
    """A sentence about the most hopeful search, and one for each distinct set of causes."""
    most = max(curses, key=lambda c: (c.difference, c.n))
    worse = "worse" if most.difference > 0 else "better"
    unclear = ", which may be chance (the 95 % interval contains 0)" if most.low <= 0 <= most.high else ""
    sentence = (
        f"{_name(most.study)}: the best of {most.trials} trials had {number(most.searched)} points in the "
        f"search and has {mean_std(most.fresh_mean, most.fresh_std)} on {_fresh(most)} that it never saw, "
        f"{abs(most.difference):.1f} points {worse}{unclear}."
    )
    if len(curses) > 1:
        hopeful = sum(c.low > 0 for c in curses)
        sentence = (
            f"{hopeful} of {len(curses)} searches were clearly too hopeful (95 %). Most of all, {sentence}"
        )
    return [sentence, *dict.fromkeys(map(_curse_parts, curses))]


def _curse_parts(c: WinnersCurse) -> str:
    """The causes of the difference between a search's best trial and the same parameters on fresh seeds."""
    parts = ["the luck of the pick"]
    if c.over == "draws":
        parts.append("the images to forget, which differ between draws")
    if c.searched_split != c.fresh_split:
        measured = f"the search measures {c.searched_split} images, the benchmark {c.fresh_split} images"
        parts.append(f"the images ({measured})")
    if len(parts) == 1:
        return f"Both were measured on {c.fresh_split} images, so the difference is {parts[0]}."
    number_of = {2: "two", 3: "three"}[len(parts)]
    return f"This difference has {number_of} causes: {', '.join(parts[:-1])}, and {parts[-1]}."


def _evaluated(rows: pd.DataFrame) -> list[str]:
    """The number of images on which trials of searches were evaluated, if it was limited."""
    known = rows.reindex(columns=["eval_limit", "eval_ended"])
    limited = known["eval_limit"].dropna()
    if limited.empty:
        return []
    ended = int((known["eval_ended"].fillna("") != "").sum())
    most = int(limited.max())
    sentence = f"These trials were evaluated on a fixed choice of at most {most:,} images of each split."
    if ended:
        sentence += (
            f" {ended} of {len(rows)} were not better than chance on the first few hundred images, and were "
            "evaluated only on these and on the forget set; the column eval_ended marks them."
        )
    return [sentence]


def _several_complete(frame: pd.DataFrame) -> bool:
    return bool((frame["state"] == "complete").sum() > 1)


def _finished(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The fully evaluated trials of a search, with their objective and some columns."""
    used = [name for name in ("state", "objective", "eval_ended", *columns) if name in frame]
    return fully_evaluated(complete(frame[used]).dropna(subset=["objective"]))


def _best_tenths(studies: Searches) -> Table:
    """The ranges of parameters in the best tenth of each search's trials."""
    rows = []
    for study, frame in studies:
        names = varied(frame)
        done = _finished(frame, *names)
        top = done.nsmallest(max(2, round(len(done) / 10)), "objective")
        spans = [
            f"{title(name)} {plain(float(top[name].min()))} to {plain(float(top[name].max()))}"
            for name in names
            if top[name].notna().any()
        ]
        rows.append([study.method, study.forget, str(len(top)), ", ".join(spans)])
    heads = ["Method", "Forget set", "Trials", "Between"]
    caption = (
        "The best tenth of each search's trials: smallest and largest value of each parameter. From single "
        "trials, so an end may be chance"
    )
    return table(caption, heads, rows, {"Trials"}, folded=len(rows) > 12)


def _too_narrow(study: Study, winner: pd.Series, axes: Mapping[str, Range | None]) -> list[list[str]]:
    """A line for every parameter whose best value is near an end of its range."""
    warnings = [axis.warning(title(name), float(winner[name])) for name, axis in axes.items() if axis]
    return [[study.method, study.forget, warning] for warning in warnings if warning]


def _parameter_texts(frame: pd.DataFrame, winner: pd.Series) -> tuple[str, str]:
    """The winner's parameters as text: those that the search varied, and the others."""
    values = parameters(winner)
    varied_names = [name.removeprefix("param_") for name in varied(frame)]
    moved = [f"{name} = {_value(values[name])}" for name in varied_names if name in values]
    fixed = [f"{name} = {_value(value)}" for name, value in values.items() if name not in varied_names]
    return ", ".join(moved) or "none was varied", ", ".join(fixed)


def _value(value: object) -> str:
    if isinstance(value, float):
        return plain(value)
    return str(value)


def _name(study: Study) -> str:
    return f"{variant(study.method)} on {study.scenario}"
