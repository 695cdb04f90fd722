"""The time until work that shares some workers is done, from the work that is left."""

from __future__ import annotations

import math
from collections.abc import Sequence


def in_turn(work: Sequence[float], capacity: float, most: float = math.inf) -> list[float]:
    """Seconds until each study is done, if each new trial belongs to the study with the fewest running ones.

    So the first studies have a worker each while there are fewer workers than studies. In the end only
    studies with slow trials are left; they share all workers, up to the limit of a study.

    Args:
        work: Seconds of work that are left for each study, in their order.
        capacity: Trials that run at once.
        most: Trials of one study that may run at once.

    Example:
        >>> in_turn([10.0, 30.0], capacity=2)  # the second has both workers after 10 seconds
        [10.0, 20.0]
    """
    left, done_at, at = list(work), [0.0] * len(work), 0.0
    waiting = [i for i, seconds in enumerate(work) if seconds > 0]
    while waiting:
        active = waiting[: max(1, round(capacity))]
        rate = min(capacity / len(active), most)
        step = min(left[i] for i in active) / rate
        at += step
        for i in active:
            left[i] -= step * rate
            if left[i] <= 1e-9 * work[i]:
                done_at[i] = at
                waiting.remove(i)
    return done_at


def together(work: Sequence[float], capacity: float) -> list[float]:
    """Seconds until each study is done, if the last round has a trial of each, as in a benchmark."""
    whole = sum(work) / capacity
    return [whole if seconds else 0.0 for seconds in work]
