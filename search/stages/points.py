"""The values of a sensitivity analysis: the centre, and points that grow denser towards it."""

from __future__ import annotations

from analysis.results.ranges import Range

NEAREST = 1 / 16  # of the way from the centre to an end


def around(axis: Range, centre: float, count: int, *, whole: bool = False) -> list[float]:
    """Values over a range, including the centre, in order.

    The sides of the centre share the other points in proportion to their length on the range's scale; each
    side that is not empty has its end. From there the distances to the centre shrink in equal ratios to a
    sixteenth of the way, though never to less than a quarter of the distance before. Around a centre that
    is outside the range, the others are evenly spaced.

    Args:
        count: The number of values, at least 3; equal whole numbers are merged, so there may be fewer.
        whole: Whether values are whole numbers.
    """
    at, rest = axis.position(centre), count - 1
    if 0 <= at <= 1:
        below = _share(at, rest)
        positions = [at - d for d in _distances(at, below)] + [
            at + d for d in _distances(1 - at, rest - below)
        ]
    else:
        positions = [i / (rest - 1) for i in range(rest)]
    values = [axis.value(min(1.0, max(0.0, position))) for position in positions]
    rounded = {round(v) if whole else float(f"{v:.6g}") for v in values}
    centre_value = round(centre) if whole else centre
    return sorted({centre_value} | {v for v in rounded if f"{v:.6g}" != f"{centre_value:.6g}"})


def _share(below: float, rest: int) -> int:
    """The number of points below the centre; none on a side without length, otherwise at least one."""
    least, most = int(below > 0), rest - int(below < 1)
    return min(most, max(least, round(rest * below)))


def _distances(length: float, count: int) -> list[float]:
    if count < 2:
        return [length] * count
    ratio = max(NEAREST ** (1 / (count - 1)), 1 / 4)
    return [length * ratio**i for i in range(count)]
