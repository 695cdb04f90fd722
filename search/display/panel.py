"""The live view of a run, as lines that fit a terminal: one for each study, running studies first."""

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
    """The progress of a study.

    Attributes:
        gap: The gap of its best trial; None before there is a trial.
        parameters: The searched hyper-parameters of its best trial.
        busy: Whether a trial of it has run for some seconds.
    """

    name: str
    done: int
    total: int
    gap: float | None
    parameters: str
    busy: bool


def panel(head: Sequence[str], studies: Sequence[StudyLine], width: int, height: int) -> list[str]:
    """At most `height` lines of at most `width` columns; lines that are cut end in an ellipsis.

    Studies with a long-running trial come first, then the other unfinished ones. The last line sums up the
    studies that do not fit.
    """
    ordered = sorted(studies, key=lambda s: (s.done >= s.total, not s.busy))
    limit = max(height - len(head) - 1, 2)
    shown = ordered if len(ordered) <= limit else ordered[: limit - 1]
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
    """Names without the words after the dot that all of them share; the last word stays.

    `jit · digits full_class 8` becomes `jit · 8`.
    """
    parts = [name.partition(" · ") for name in names]
    scenarios = [scenario.split(" ") for _, _, scenario in parts]
    columns = zip(*(words[:-1] for words in scenarios), strict=False)
    alike = len(list(takewhile(lambda words: len(set(words)) == 1, columns)))
    return [
        f"{head}{dot}{' '.join(words[alike:])}"
        for (head, dot, _), words in zip(parts, scenarios, strict=True)
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
    done, total = (sum(getattr(study, count) for study in studies) for count in ("done", "total"))
    gaps = [study.gap for study in studies if study.gap is not None]
    best = f", best gap {min(gaps):.2f}" if gaps else ""
    return f"  and {len(studies)} more: {done}/{total} trials{best}"
