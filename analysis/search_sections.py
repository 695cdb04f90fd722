"""The report's chapters about searches: best parameters, fresh seeds, sensitivity, importance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from analysis import plots
from analysis import sensitivity as sense
from analysis.centres import Figure as Around
from analysis.centres import centre, figures
from analysis.importance import importance as shares
from analysis.labels import DASH, duration, mean_std, number, title, variant
from analysis.page import Picture, Section, Table, picture, table
from analysis.ranges import Range, Ranges, log_parameters
from analysis.stats import WinnersCurse, winners_curse
from analysis.studies import METRICS, Study, best, complete, parameters, progress, studies, varied
from analysis.style import ACCENT, plain

Blocks = list[Table | Picture]


def searches(
    trials: pd.DataFrame, palette: Mapping[str, str], range_of: Callable[[Study, str], Range | None]
) -> Section | None:
    """Best parameters of every search, whether their ranges may be too narrow, and how the search went.

    Args:
        range_of: The range in which a study searched a parameter column, if that is known.
    """
    rows: list[list[str]] = []
    still: list[list[str]] = []
    narrow: list[str] = []
    blocks: Blocks = []
    for study, frame in studies(trials):
        found, winner = complete(frame), best(frame)
        took = (frame["finished_at"].max() - frame["started_at"].min()).total_seconds()
        cells = [study.method, f"{study.dataset}, {study.model}, {study.task}", study.forget, str(len(frame))]
        cells += [str(int((frame["state"] == "failed").sum())), duration(took)]
        if winner is None:
            rows.append([*cells, DASH, DASH, "no trial was complete"])
            continue
        moved, fixed_values = _said(frame, winner)
        rows.append([*cells, str(int(winner["trial_number"])), number(winner["objective"]), moved])
        narrow += _too_narrow(study, winner, {name: range_of(study, name) for name in varied(frame)})
        still += [[study.method, study.scenario, fixed_values]] if fixed_values else []
        data = progress(frame)
        near = int((found["objective"] <= winner["objective"] + 1).sum())
        caption = (
            f"{_name(study)}: the best of {len(frame)} trials, number {int(winner['trial_number'])}, "
            f"reaches {number(winner['objective'])} points; {near - 1} other trial{'' if near == 2 else 's'} "
            "within a point."
        )
        blocks.append(picture(plots.progress(data, palette.get(study.method, ACCENT)), caption))
    if not rows:
        return None
    heads = ["Method", "Scenario", "Forget set", "Trials", "Failed", "Wall time", "Best trial"]
    heads += ["Objective (points)", "Best parameters"]
    numbers = {"Trials", "Failed", "Best trial", "Objective (points)", "Wall time"}
    fixed = table(
        "Parameters that the searches left alone", ["Method", "Scenario", "Values"], still, folded=True
    )
    blocks = [table("", heads, rows, numbers), *([fixed] if still else []), *blocks]
    return Section("searches", "Searches", narrow, blocks)


def check(trials: pd.DataFrame) -> Section | None:
    """The winner's curse: the best parameters of each search on seeds that it never saw."""
    found = winners_curse(trials)
    if not found:
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
        for c in found
    ]
    text = [
        "The best of many noisy trials is partly luck, so its parameters ran again on fresh seeds; where "
        "other draws of the forget set were run, which the search never saw, on these. ± is over them."
    ]
    text += map(_curse_sentence, found)
    return Section("check", "Does the best hold?", text, [table("", heads, rows, set(heads[2:]))])


def sensitivity(trials: pd.DataFrame, ranges: Ranges, palette: Mapping[str, str]) -> Section | None:
    """One parameter at a time and grids from sensitivity runs, scatters and maps from the searches."""
    blocks: Blocks = []
    for figure in figures(trials):
        values = sense.published(trials, figure.study)
        blocks += _designed(figure, values, ranges, palette)
    for study, frame in studies(trials):
        blocks += _observed(study, frame, ranges, palette)
    return Section("sensitivity", "Sensitivity to the hyper-parameters", [], blocks) if blocks else None


def importance(trials: pd.DataFrame, ranges: Ranges, palette: Mapping[str, str]) -> Section | None:
    """Importance of the parameters, and for which searches it cannot be told."""
    blocks: Blocks = []
    without = []
    for study, frame in studies(trials):
        found = shares(frame, ranges)
        if found.reason:
            without.append(f"{_name(study)}: none, since {found.reason}.")
            continue
        first = found.table.iloc[0]
        caption = (
            f"{_name(study)}: {title(first['parameter'])} carries {first['importance']:.0%} (interval "
            f"{first['low']:.0%} to {first['high']:.0%}) of what tells the best {found.quantile:.0%} of "
            f"{found.trials} trials from the others (PED-ANOVA)."
        )
        blocks.append(picture(plots.importance(found.table, palette.get(study.method, ACCENT)), caption))
    if not blocks and not without:
        return None
    return Section("importance", "Importance of the hyper-parameters", without, blocks)


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
        said = f"{_name(study)}: one parameter at a time around {around}. {_curve_sentence(lines.get('gap'))}"
        said += _published_sentence({name: published.get(name, {}) for name in middle})
        drawn = plots.sensitivity_curves(lines, log, tone, winner, published)
        blocks.append(picture(drawn, said))
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
                f"{_name(study)}: distance to retrain on the grid; lowest, {low['mean']:.1f} points, at {at}."
            )
            blocks.append(picture(plots.parameter_map(cells["gap"], as_grid=True), caption))
    return blocks


def _observed(study: Study, frame: pd.DataFrame, ranges: Ranges, palette: Mapping[str, str]) -> Blocks:
    names, winner = varied(frame), best(frame)
    if winner is None or not names or len(complete(frame)) < 2:
        return []
    log = log_parameters(frame, study.method, ranges)
    points = {m: sense.observations(frame, m) for m in METRICS}
    points = {m: rows for m, rows in points.items() if len(rows)}
    targets = {m: sense.target(frame, m) for m in points}
    caption = f"{_name(study)}: the search's trials. {_best_tenth(frame, names)}"
    tone = palette.get(study.method, ACCENT)
    blocks: Blocks = [picture(plots.against_parameters(points, targets, log, tone), caption)]
    for pair in itertools.islice(itertools.combinations(names, 2), 3):
        data = sense.scatter(frame, pair)
        if len(data) > 1:
            caption = (
                f"{_name(study)}: distance to retrain of {len(data)} trials over {title(pair[0])} and "
                f"{title(pair[1])}; they crowd where the sampler expected low values."
            )
            place = {name: float(winner[name]) for name in pair}
            blocks.append(picture(plots.parameter_map(data, log=log, best=place), caption))
    return blocks


def _curve_sentence(rows: pd.DataFrame | None) -> str:
    said = []
    for name, line in rows.groupby("parameter", sort=False) if rows is not None else ():
        low, high = line.nsmallest(1, "mean").iloc[0], line["mean"].max()
        middle = line.loc[line["at_centre"] & (line["value"] != low["value"]), "mean"]
        at_centre = f", {middle.iloc[0]:.1f} at the centre," if len(middle) else ""
        said.append(
            f"Over {title(str(name))} the distance to retrain is lowest at {plain(float(low['value']))} "
            f"({low['mean']:.1f} points){at_centre} and reaches {high:.1f}."
        )
    return " ".join(said)


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
    return f" Published (squares; the other parameters of a preset are not those here): {', '.join(values)}."


def _curse_sentence(c: WinnersCurse) -> str:
    worse = "worse" if c.difference > 0 else "better"
    unclear = ", which these cannot tell from no difference" if c.low <= 0 <= c.high else ""
    said = (
        f"{_name(c.study)}: the best of {c.trials} trials had {number(c.searched)} points in the search and "
        f"has {mean_std(c.fresh_mean, c.fresh_std)} on {_fresh(c)} that it never saw, "
        f"{abs(c.difference):.1f} points {worse}{unclear}."
    )
    parts = ["the luck of the pick"]
    if c.over == "draws":
        parts.append("the images to forget, which are others in every draw")
    if c.searched_split != c.fresh_split:
        measured = f"the search measures {c.searched_split} images, the benchmark {c.fresh_split} images"
        parts.append(f"the images ({measured})")
    if len(parts) == 1:
        return f"{said} Both were measured on {c.fresh_split} images, so the difference is {parts[0]}."
    number_of = {2: "Two", 3: "Three"}[len(parts)]
    return f"{said} {number_of} things are in this difference: {', '.join(parts[:-1])}, and {parts[-1]}."


def _best_tenth(frame: pd.DataFrame, names: list[str]) -> str:
    found = complete(frame).dropna(subset=["objective"])
    top = found.nsmallest(max(2, round(len(found) / 10)), "objective")
    spans = [
        f"{title(n)} between {plain(float(top[n].min()))} and {plain(float(top[n].max()))}"
        for n in names
        if top[n].notna().any()
    ]
    return f"The best {len(top)} have {', '.join(spans)}."


def _too_narrow(study: Study, winner: pd.Series, axes: Mapping[str, Range | None]) -> list[str]:
    """A sentence for every parameter whose best lies near an end of its range."""
    warnings = [axis.warning(title(name), float(winner[name])) for name, axis in axes.items() if axis]
    return [f"{_name(study)}: {warning}." for warning in warnings if warning]


def _said(frame: pd.DataFrame, winner: pd.Series) -> tuple[str, str]:
    """The winner's parameters as text: those that the search varied, and the others."""
    values = parameters(winner)
    own = [name.removeprefix("param_") for name in varied(frame)]
    moved = [f"{name} = {_value(values[name])}" for name in own if name in values]
    fixed = [f"{name} = {_value(value)}" for name, value in values.items() if name not in own]
    return ", ".join(moved) or "none was varied", ", ".join(fixed)


def _value(value: object) -> str:
    if isinstance(value, float):
        return plain(value)
    return str(value)


def _name(study: Study) -> str:
    return f"{variant(study.method)} on {study.scenario}"
