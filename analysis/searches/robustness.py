"""How robust the best point of a search is: the share of its neighbourhood that is nearly as good.

The neighbourhood is a tenth of every parameter's range to both sides, on the scale of the range: a factor of
three for a learning rate searched over five decades. It is measured from two sources. The trials of a search:
every point has the value of the nearest trial, so that the many trials of a sampler in a good region count
only as much as the space around them. A sensitivity run: its lines through the centre, one parameter at a
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.results.ranges import Range
from analysis.searches.centres import Figure, centre, figures
from analysis.searches.sensitivity import curves
from analysis.statistics.equality import LEVEL
from analysis.studies import Study, best, chosen, complete, fully_evaluated, studies, varied

Values = npt.NDArray[np.float64]
RangeOf = Callable[[Study, str], Range | None]

REACH = 0.1  # of a range, to both sides
WITHIN = 2.0  # points further from retraining than the best, by default
FEWEST = 8  # trials near the best; a neighbourhood with fewer is left out
POINTS = np.linspace(0, 10, 41)
_PROBES, _DRAWS = 400, 200


@dataclass(frozen=True)
class Neighbourhood:
    """The surroundings of a best point.

    Attributes:
        source: `trials` or `sensitivity`.
        parameter: The column that a line varies; empty for all of them together.
        losses: Distance to retrain less that of the best, in points, over the neighbourhood.
        drawn: The losses of bootstrap samples, a row each; no rows if there is no spread to draw from.
        trials: The number of trials in the neighbourhood.
    """

    study: Study
    source: str
    parameter: str
    losses: Values
    drawn: Values
    trials: int

    def share(self, within: float | Values) -> Values:
        """The share of the neighbourhood that is at most `within` points worse than the best."""
        return np.asarray((self.losses[:, None] <= np.atleast_1d(within)).mean(axis=0))

    def interval(self, within: float | Values) -> tuple[Values, Values]:
        """The 95 % bootstrap interval of that share; nan without bootstrap samples."""
        limits = np.atleast_1d(within)
        if not len(self.drawn):
            return np.full(len(limits), np.nan), np.full(len(limits), np.nan)
        shares = np.array([(self.drawn <= limit).mean(axis=1) for limit in limits])
        low, high = np.quantile(shares, [LEVEL / 2, 1 - LEVEL / 2], axis=1)
        return low, high


def neighbourhoods(trials: pd.DataFrame, range_of: RangeOf) -> list[Neighbourhood]:
    """The neighbourhoods of every search, and of every sensitivity run by parameter, with enough trials.

    Args:
        range_of: The range in which a study searched a parameter column, if it is known.
    """
    results = [near for study, rows in studies(trials) if (near := _of_search(study, rows, range_of))]
    for around in figures(trials):
        results += _of_lines(around, range_of)
    return results


def robustness(trials: pd.DataFrame, range_of: RangeOf, within: float = WITHIN) -> pd.DataFrame:
    """The share of each neighbourhood that is at most `within` points worse than the best.

    Args:
        trials: The table.
        range_of: As for `neighbourhoods`.
        within: Points of distance to retrain.

    Returns:
        dataset, model, task, method, forget, source (trials or sensitivity), parameter (empty for all
        together), share, low, high (95 % bootstrap interval), trials (in the neighbourhood), cliff (whether
        the share and the upper end of its interval are below one half).
    """
    header = ["dataset", "model", "task", "method", "forget", "source", "parameter"]
    header += ["share", "low", "high", "trials", "cliff"]
    rows = []
    for near in neighbourhoods(trials, range_of):
        s, [share] = near.study, near.share(within)
        [low], [high] = near.interval(within)
        key = [s.dataset, s.model, s.task, s.method, s.forget, near.source, near.parameter]
        rows.append([*key, share, low, high, near.trials, bool(share < 0.5 and high < 0.5)])
    return pd.DataFrame(rows, columns=header)


def _of_search(study: Study, frame: pd.DataFrame, range_of: RangeOf) -> Neighbourhood | None:
    winner, names = best(frame), varied(frame)
    axes = [range_of(study, name) for name in names]
    if winner is None or not axes or any(axis is None for axis in axes):
        return None
    known = fully_evaluated(complete(frame).dropna(subset=["gap"]))
    rows = pd.concat([known, frame[frame["state"] == "failed"].assign(gap=np.inf)])
    for name in chosen(frame):
        rows = rows[rows[name] == winner[name]]
    rows = rows.dropna(subset=names)
    at = np.column_stack(
        [_positions(axis, rows[name]) for axis, name in zip(axes, names, strict=True) if axis]
    )
    is_best = (rows["trial_id"] == winner["trial_id"]).to_numpy()
    if not is_best.any():
        return None
    middle = at[is_best][0]
    away = np.abs(at - middle).max(axis=1)
    count = int(((away <= REACH) & ~is_best).sum())
    if count < FEWEST:
        return None
    some = away <= 2 * REACH
    at, is_best, losses = at[some], is_best[some], rows["gap"].to_numpy(float)[some] - float(winner["gap"])
    rng = np.random.default_rng(0)
    low, high = np.clip(middle - REACH, 0, 1), np.clip(middle + REACH, 0, 1)
    probes = rng.uniform(low, high, (_PROBES, len(names)))
    distance = np.abs(probes[:, None, :] - at[None, :, :]).max(axis=2)
    drawn = []
    for _ in range(_DRAWS):
        is_drawn = is_best.copy()
        is_drawn[rng.integers(0, len(at), len(at))] = True
        drawn.append(losses[np.where(is_drawn, distance, np.inf).argmin(axis=1)])
    return Neighbourhood(study, "trials", "", losses[distance.argmin(axis=1)], np.array(drawn), count)


def _of_lines(around: Figure, range_of: RangeOf) -> Iterator[Neighbourhood]:
    middle = centre(around.rows, [] if around.best is None else [around.best])
    for name, line in curves(around.rows, "gap", around.best).groupby("parameter", sort=False):
        axis = range_of(around.study, str(name))
        if middle is None or axis is None or not line["at_centre"].any():
            continue
        at = _positions(axis, line["value"])
        order = np.argsort(at)
        at, line = at[order], line.iloc[order]
        here = float(axis.position(middle[str(name)]))
        beside = np.abs(at - here)
        if not ((beside > 0) & (beside <= 2 * REACH)).any():
            continue
        ends = max(here - REACH, at[0], 0.0), min(here + REACH, at[-1], 1.0)
        probes = np.linspace(*ends, _PROBES)
        means, at_centre = line["mean"].to_numpy(float), int(np.argmin(beside))
        error = (line["std"] / np.sqrt(line["n"])).to_numpy(float)
        rng = np.random.default_rng(0)
        noisy = means + error * rng.standard_normal((_DRAWS, len(means))) if np.isfinite(error).all() else []
        drawn = [np.interp(probes, at, values) - values[at_centre] for values in noisy]
        losses = np.interp(probes, at, means) - means[at_centre]
        count = int(line["n"].to_numpy()[beside <= REACH].sum())
        yield Neighbourhood(around.study, "sensitivity", str(name), losses, np.array(drawn), count)


def _positions(axis: Range, values: pd.Series) -> Values:
    return np.array([axis.position(float(value)) for value in values])
