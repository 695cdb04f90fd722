"""Several objectives at once: the front of a search, its knee, and the hypervolume that it covers.

The objectives are those of a plan's `pareto`: distances to the retrained model in retain accuracy, forget
accuracy and MIA, and the method's seconds. Each is scaled by the range of the complete trials, so that 0 is
the best value of any trial and 1 the worst. The hypervolume is the share of that unit cube that the trials
dominate, and the knee is the trial of the front nearest to the corner 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.studies import complete, fully_evaluated

Numbers = npt.NDArray[np.float64]
DISTANCES = ("retain_acc", "forget_acc", "mia")
OBJECTIVES = (*(f"{name}_distance" for name in DISTANCES), "unlearn_s")


def front(frame: pd.DataFrame) -> pd.DataFrame:
    """The objectives of every complete trial of a study.

    Args:
        frame: Trials of one search.

    Returns:
        In the order of the trials: trial_number, retain_acc_distance, forget_acc_distance, mia_distance
        (points), unlearn_s, gap; on_front, knee (one trial of the front, or none if there are no trials),
        hypervolume (0 to 1, of the trials up to this one).
    """
    rows = fully_evaluated(complete(frame)).sort_values("trial_number")
    distances = {f"{m}_distance": (rows[m] - rows[f"target_{m}"]).abs() for m in DISTANCES}
    table = rows[["trial_number", "gap"]].assign(**distances, unlearn_s=rows["unlearn_s"])
    table = table.dropna(subset=list(OBJECTIVES)).reset_index(drop=True)
    points = scaled(table[list(OBJECTIVES)].to_numpy(dtype=float))
    on_front = undominated(points)
    norms = np.where(on_front, np.linalg.norm(points, axis=1), np.inf)
    knee = np.zeros(len(points), dtype=bool)
    if len(points):
        knee[int(norms.argmin())] = True
    return table.assign(on_front=on_front, knee=knee, hypervolume=volumes(points))


def scaled(points: Numbers) -> Numbers:
    """Points of shape (n, objectives), each objective from 0 (its best) to 1 (its worst).

    Example:
        >>> scaled(np.array([[0.0, 10.0], [5.0, 20.0], [10.0, 30.0]])).tolist()
        [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]
    """
    if not len(points):
        return points
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - low) / np.where(high > low, high - low, 1.0)  # type: ignore[no-any-return]


def undominated(points: Numbers) -> npt.NDArray[np.bool_]:
    """Whether no other point dominates a point: is at least as good in all objectives, and better in one.

    Example:
        >>> undominated(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
        [True, True, False]
    """
    kept = np.ones(len(points), dtype=bool)
    for i, point in enumerate(points):
        kept[i] = not ((points <= point).all(axis=1) & (points < point).any(axis=1)).any()
    return kept


def volumes(points: Numbers) -> Numbers:
    """Hypervolume below 1 in every objective of the first point, of the first two, and so on, shape (n,)."""
    covered, kept, total = [], np.empty((0, points.shape[1])), 0.0
    for point in points:
        total += _gain(point, kept)
        kept = np.vstack([kept, point])
        kept = kept[undominated(kept)]
        covered.append(total)
    return np.array(covered)


def hypervolume(points: Numbers) -> float:
    """The volume that some points cover up to 1 in every objective (the WFG algorithm).

    Example:
        >>> hypervolume(np.array([[0.0, 0.5], [0.5, 0.0]]))  # 0.5 + 0.5 - 0.25 that both cover
        0.75
    """
    points = np.unique(points[undominated(points)], axis=0)
    if points.shape[1] == 1:
        return float((1 - points).max(initial=0.0))
    return sum(_gain(point, points[i + 1 :]) for i, point in enumerate(points))


def _gain(point: Numbers, others: Numbers) -> float:
    """The volume that only this point covers."""
    alone = float(np.prod(1 - point))
    if not len(others) or not alone:
        return alone
    if len(point) == 1:
        return max(0.0, float(1 - point[0] - (1 - others).max()))
    return alone - hypervolume(np.maximum(others, point))


def front_sentence(data: pd.DataFrame) -> str:
    """A front in words: its size, its knee and its growth in the second half of the trials."""
    knee = data[data["knee"]].iloc[0]
    half = data["hypervolume"].iloc[(len(data) - 1) // 2]
    late = data["hypervolume"].iloc[-1] - half
    apart = ", ".join(f"{knee[name]:.1f}" for name in OBJECTIVES[:3])
    return (
        f"{int(data['on_front'].sum())} of {len(data)} complete trials are on the front. Its knee is trial "
        f"{int(knee['trial_number'])}: {apart} points from retraining in retain accuracy, forget accuracy "
        f"and MIA, in {knee['unlearn_s']:.3g} s. The second half of the trials added {late:.3f} to a "
        f"hypervolume of {data['hypervolume'].iloc[-1]:.3f}. The points were picked from many, so they are "
        "optimistic; repeat them on fresh seeds."
    )
