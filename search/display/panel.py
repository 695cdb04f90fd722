"""The live view of a run, as lines that fit a terminal: one for each study, what runs first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from rich.cells import cell_len, set_cell_size

from analysis.monitoring.cells import bar, cut_end, cut_middle
from benchmarks.errors import printable

_BAR = 10
_NAME = 26
_WITH_BAR = 70  # columns of a terminal


@dataclass(frozen=True)
class StudyLine:
    """How far a study is.

    Attributes:
        gap: Of its best trial; None before there is one.
        parameters: Those that are searched, of its best trial.
        busy: Whether one of its trials has run for some seconds.
    """

    name: str
    done: int
    total: int
    gap: float | None
    parameters: str
    busy: bool


def panel(head: Sequence[str], studies: Sequence[StudyLine], width: int, height: int) -> list[str]:
    """Lines no wider than `width`, no more than `height`, in which what is cut ends in an ellipsis.

    Studies with a trial that takes long come first, then those that are not finished. Those that do not fit
    are summed up in the last line.
    """
    ordered = sorted(studies, key=lambda s: (s.done >= s.total, not s.busy))
    room = max(height - len(head) - 1, 2)
    shown = ordered if len(ordered) <= room else ordered[: room - 1]
    lines = [*head, *_table(shown, width)]
    hidden = ordered[len(shown) :]
    if hidden:
        lines.append(_sum(hidden))
    return [cut_end(line, width) for line in lines]


def parameters(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """`lr=0.00123 sigma=0.5`: some hyper-parameters of a row of the trials table."""
    values = {name: row[f"param_{name}"] for name in names}
    return " ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values.items()
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Names without the words behind the dot that all of them have, but for the last.

    `jit · digits full_class 8` becomes `jit · 8`.
    """
    parts = [name.partition(" · ") for name in names]
    places = [place.split(" ") for _, _, place in parts]
    columns = zip(*(place[:-1] for place in places), strict=False)
    alike = len(list(takewhile(lambda words: len(set(words)) == 1, columns)))
    return [
        f"{head}{dot}{' '.join(place[alike:])}" for (head, dot, _), place in zip(parts, places, strict=True)
    ]


def _table(studies: Sequence[StudyLine], width: int) -> list[str]:
    names = [cut_middle(printable(name), _NAME) for name in short_names([s.name for s in studies])]
    heads = ("study", "trials", "", "gap", "parameters of the best")
    cells = [
        (
            f"{'>' if study.busy else ' '} {name}",
            f"{study.done}/{study.total}",
            bar(study.done, study.total, _BAR) if width >= _WITH_BAR else "",
            "" if study.gap is None else f"{study.gap:.2f}",
            printable(study.parameters),
        )
        for name, study in zip(names, studies, strict=True)
    ]
    rows = [(f"  {heads[0]}", *heads[1:]), *cells]
    sizes = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    padded = ([set_cell_size(cell, size) for cell, size in zip(row, sizes, strict=True)] for row in rows)
    return [cut_end("  ".join(cells).rstrip(), width) for cells in padded]


def _sum(studies: Sequence[StudyLine]) -> str:
    done, total = (sum(getattr(study, what) for study in studies) for what in ("done", "total"))
    gaps = [study.gap for study in studies if study.gap is not None]
    best = f", best gap {min(gaps):.2f}" if gaps else ""
    return f"  and {len(studies)} more: {done}/{total} trials{best}"
