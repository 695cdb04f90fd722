"""The points around which sensitivity runs varied parameters, and the runs that belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.studies import WORK, Study, best, distinct_work, numbered, rounded, studies, varied

Point = tuple[float, ...]


@dataclass(frozen=True)
class Figure:
    """The data of a figure: the sensitivity runs around the same centre.

    Attributes:
        study: The run that finished last.
        rows: The trials of all runs, each piece of work once.
        best: The best trial of the search, if it is the centre.
        preset: The published values that are the centre; empty for other centres.
    """

    study: Study
    rows: pd.DataFrame
    best: pd.Series | None
    preset: str = ""


def figures(trials: pd.DataFrame) -> Iterator[Figure]:
    """The sensitivity runs of a table; runs of the same method and scenario with the same centre are joined.

    A centre has a value for every hyper-parameter, varied or not. Runs on other images, with another original
    model or in another precision are separate, and so is a run whose centre is not known.
    """
    winners = [(study, winner) for study, rows in studies(trials) if (winner := best(rows)) is not None]
    groups: dict[tuple[object, ...], list[tuple[Study, pd.DataFrame]]] = {}
    bests = {}
    for study, rows in studies(trials, "sensitivity"):
        given = [w for s, w in winners if _scenario(s) == _scenario(study) and _shares_fixed(rows, w)]
        middle = centre(rows, given)
        key: tuple[object, ...] = (study,)
        if middle is not None:
            key = (*_scenario(study), *_conditions(rows), *_parameters(rows.iloc[0], middle))
            bests[key] = next(
                (w for w in given if _parameters(w, {}) == _parameters(rows.iloc[0], middle)), None
            )
        groups.setdefault(key, []).append((study, rows))
    for key, runs in groups.items():
        latest = max(runs, key=lambda run: run[1]["finished_at"].max())
        rows = pd.concat([rows for _, rows in runs], ignore_index=True)
        yield Figure(latest[0], distinct_work(rows), bests.get(key), _preset(rows))


def centre(frame: pd.DataFrame, given: Sequence[pd.Series] = ()) -> dict[str, float] | None:
    """The point around which a sensitivity run varied one parameter at a time, or None.

    The rows of the centre are those whose values come from a search or a paper (regimes `tuned` and
    `published`). If there are no such rows, as in older tables, the centre is the candidate from which the
    most points of the run differ in at most one parameter. Candidates are every point of the run, the
    combination of each parameter's most common value (the centre itself need not have been run), and the best
    points of searches, if they are given. Among equal candidates a search's best wins, then the combination
    of the most common values. A full grid has no centre (all its points are equal) unless it contains a
    search's best, or one value of every parameter has more rows than the others (curves with several seeds
    inside the grid).

    Args:
        frame: The rows of sensitivity runs around one centre, with failed trials, whose parameters are known.
        given: The best trials of searches on the same scenario and method.

    Returns:
        Parameter column -> value, for the parameters that the run varied.
    """
    names = varied(frame)
    points = _points(frame, names)
    if not names or len(points) < 2:
        return None
    stated = _points(frame[frame["regime"].isin(["tuned", "published"])], names)
    if len(stated) == 1:
        return dict(zip(names, map(float, stated[0]), strict=True))
    common = tuple(_commonest(frame[name])[0] for name in names)
    bests = [tuple(float(row[name]) for name in names) for row in given]
    candidates = [*bests, common, *map(tuple, points)]
    near = [int((_differing(points, point) <= 1).sum()) for point in candidates]
    top = max(near)
    leaders = {p for p, n in zip(candidates, near, strict=True) if n == top}
    is_given = top in near[: len(bests)]
    equal = len(names) > 1 and len(leaders) > 1 and not is_given
    if equal and _is_full_grid(frame, names) and any(len(_commonest(frame[name])) > 1 for name in names):
        return None
    return dict(zip(names, candidates[near.index(top)], strict=True))


def _preset(rows: pd.DataFrame) -> str:
    names = rows.loc[rows["regime"] == "published", "preset"].dropna()
    return str(names.iloc[0]) if len(names) else ""


def _scenario(study: Study) -> tuple[object, ...]:
    return study.dataset, study.model, study.task, study.forget, study.scenario_seed, study.method


def _conditions(rows: pd.DataFrame) -> tuple[str, ...]:
    """The conditions, except seed and parameters, that trials on the same curve must share."""
    known = rows["state"] != "failed"  # a trial whose worker died lacks some columns
    first = numbered(rows[known] if known.any() else rows).iloc[0]
    return tuple(str(first[name]) for name in WORK if name in rows and name != "seed")


def _parameters(row: pd.Series, moved: dict[str, float]) -> tuple[tuple[str, str], ...]:
    """Every hyper-parameter of a row as text, with the values of `moved` in place of the row's."""
    names = [str(name) for name in row.index if str(name).startswith("param_")]
    values = {name: moved.get(name, row[name]) for name in names}
    return tuple((name, _text(value)) for name, value in sorted(values.items()) if not pd.isna(value))


def _shares_fixed(rows: pd.DataFrame, winner: pd.Series) -> bool:
    """Whether a search's best agrees with the parameters that a run did not vary, so it can be the centre."""
    moved = {name: float(winner[name]) for name in varied(rows)}
    return _parameters(rows.iloc[0], moved) == _parameters(winner, {})


def _text(value: object) -> str:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))
    return f"{float(value):.9g}" if number else str(value)  # type: ignore[arg-type]


def _points(frame: pd.DataFrame, names: list[str]) -> npt.NDArray[np.float64]:
    return frame[names].apply(rounded).drop_duplicates().to_numpy(dtype=float)


def _commonest(values: pd.Series) -> list[float]:
    return [float(value) for value in rounded(values).mode()]


def _differing(points: npt.NDArray[np.float64], point: Point) -> npt.NDArray[np.int64]:
    same: npt.NDArray[np.bool_] = np.isclose(points, np.array(point), rtol=1e-6, atol=0, equal_nan=True)
    return np.asarray((~same).sum(axis=1), dtype=np.int64)


def _is_full_grid(frame: pd.DataFrame, names: list[str]) -> bool:
    points = _points(frame, names)
    sizes = [len(np.unique(points[:, i])) for i in range(len(names))]
    return len(points) == int(np.prod(sizes))
