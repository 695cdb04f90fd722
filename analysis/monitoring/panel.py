"""The progress of runs as lines for a terminal, or in full for a file or another program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import pandas as pd
from rich.cells import cell_len, set_cell_size

from analysis.monitoring import state as run_state
from analysis.monitoring.cells import bar, cut_middle
from analysis.monitoring.watched import View
from analysis.text import labels
from analysis.text.names import printable

_ORDER = {"running": 0, "stopped": 1, "unknown": 2, "finished": 3}
_BAR = 6
_LOCATION_WIDTH = 24
_CAUSES = 3
_MACHINES = 3


@dataclass(frozen=True)
class _Column:
    """A column of the panel; it may be shortened to `least` cells if the terminal is narrow."""

    title: str
    cells: Sequence[str]
    right: bool = False
    least: int | None = None

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.title, *self.cells)))


def lines(view: View, location: str, width: int, height: int) -> list[str]:
    """The panel, within the given width and height.

    Running studies are first, then stopped ones, then finished ones, the latest first in each group.
    """
    studies = _ordered(view.studies)
    below = [*_failures(view, _CAUSES), *_machines(view, _MACHINES)]
    head = [_summary(view, studies, location), *_best(studies)]
    capacity = max(height - len(head) - len(below) - 3, 1)  # two blank lines and the titles
    if len(studies) > capacity:
        capacity = max(capacity - 1, 1)
    shown, hidden = studies.head(capacity), studies.iloc[capacity:]
    table = _table(_columns(shown), width) if len(shown) else ["nothing has been run here yet"]
    if len(hidden):
        counts = hidden["state"].value_counts()
        table.append(f"and {len(hidden)} more: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
    blocks = [head, table, below]
    every = [line for block in blocks if block for line in ["", *block]][1:]
    return [cut_middle(line, width) for line in every][:height]


def report(view: View, location: str) -> list[str]:
    """All lines without limits of width and height, for output that is not a terminal."""
    studies = _ordered(view.studies)
    described = [_in_full(study) for _, study in studies.iterrows()]
    head = [_summary(view, studies, location), *_best(studies)]
    return [*head, *described, *_failures(view, len(view.trials)), *_machines(view, len(view.trials))]


def _ordered(studies: pd.DataFrame) -> pd.DataFrame:
    """Running studies first; among those of one state, the studies of the latest run."""
    age = {run: -number for number, run in enumerate(dict.fromkeys(studies["run"]))}
    pairs = zip(studies["state"], studies["run"], strict=True)
    keys = [(_ORDER[state], age[run]) for state, run in pairs]
    return studies.iloc[sorted(range(len(keys)), key=lambda i: keys[i])].reset_index(drop=True)


def _summary(view: View, studies: pd.DataFrame, location: str) -> str:
    runs = view.runs
    running = runs[runs["state"] == "running"]
    parts = [
        f"{cut_middle(printable(location), _LOCATION_WIDTH)} at {view.at.astimezone():%H:%M:%S}",
        _count(len(runs), "run"),
    ]
    if len(running):
        hosts = sorted({driver.host for driver in view.drivers})
        parts.append(f"{len(running)} running on {printable(', '.join(hosts))}")
    done, wanted = int(studies["done"].sum()), studies["wanted"]
    of = "" if wanted.isna().any() or studies.empty else f" of {int(wanted.sum())}"
    failed = int(studies["failed"].sum())
    parts.append(f"{done}{of} trials" + (f" ({failed} failed)" if failed else ""))
    if len(running) and running["left_s"].notna().all():
        parts.append(f"{_duration(running['left_s'].max())} left")
    return ", ".join(parts)


def _best(studies: pd.DataFrame) -> list[str]:
    top = run_state.best(studies)
    if top is None:
        return []
    where = f"{top['dataset']}, {top['model']}, {top['task']}, forgetting {top['forget']}"
    return [printable(f"best so far: {top['method']}, gap {_gap(top['gap'])}, {top['stage']} on {where}")]


def _columns(studies: pd.DataFrame) -> list[_Column]:
    rows = [study for _, study in studies.iterrows()]
    common = [key for key in ("dataset", "model", "task") if studies[key].nunique() == 1 and len(rows) > 1]
    places = [key for key in ("dataset", "model", "task") if key not in common]
    return [
        _Column("method", [printable(row["method"]) for row in rows], least=8),
        _Column("run", _runs(studies), least=12),
        _Column(
            "scenario",
            [printable(" ".join([*(row[key] for key in places), row["forget"]])) for row in rows],
            least=8,
        ),
        _Column("", [_bar(row) for row in rows]),
        _Column("trials", [_trials(row) for row in rows], right=True),
        _Column("gap", [_gap(row["gap"]) for row in rows], right=True),
        _Column("/min", [_rate(row["per_minute"]) for row in rows], right=True),
        _Column("left", [_state(row) for row in rows]),
    ]


def _runs(studies: pd.DataFrame) -> list[str]:
    """Plan and stage, without the common beginning of the plans' names."""
    plans = [printable(plan) for plan in studies["plan"]]
    alike = "".join(
        letters[0] for letters in takewhile(lambda c: len(set(c)) == 1, zip(*plans, strict=False))
    )
    known = len(alike) if len(set(plans)) == 1 else alike.rfind("-") + 1
    return [f"{plan[known:]} {stage}".strip() for plan, stage in zip(plans, studies["stage"], strict=True)]


def _table(columns: Sequence[_Column], width: int) -> list[str]:
    """Columns next to each other; those that may be shortened are, the widest first, until all fit."""
    widths = [column.width for column in columns]
    spare = width - sum(widths) - len(columns) + 1
    while spare < 0:
        cuttable = [i for i, c in enumerate(columns) if c.least is not None and widths[i] > c.least]
        if not cuttable:
            break
        widths[max(cuttable, key=lambda i: widths[i])] -= 1
        spare += 1
    titles = [c.title for c in columns]
    rows = [titles, *zip(*(column.cells for column in columns), strict=True)]
    return [
        " ".join(
            _cell(cell, size, column.right) for cell, size, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cell(text: str, width: int, right: bool) -> str:
    cut = cut_middle(text, width)
    return " " * (width - cell_len(cut)) + cut if right else set_cell_size(cut, width)


def _bar(study: pd.Series) -> str:
    if pd.isna(study["wanted"]) or not study["wanted"]:
        return ""
    return bar(study["done"], study["wanted"], _BAR)


def _trials(study: pd.Series) -> str:
    return f"{study['done']}/{'?' if pd.isna(study['wanted']) else study['wanted']}"


def _gap(gap: float) -> str:
    return "" if math.isnan(gap) else f"{gap:.2f}"


def _rate(per_minute: float) -> str:
    if math.isnan(per_minute):
        return ""
    return f"{per_minute:.0f}" if per_minute >= 10 else f"{per_minute:.1f}"


def _state(study: pd.Series) -> str:
    if study["state"] != "running":
        return str(study["state"])
    return "running" if math.isnan(study["left_s"]) else _duration(study["left_s"])


def _duration(seconds: float) -> str:
    return labels.duration(round(seconds)).replace(".0 s", " s")


def _in_full(study: pd.Series) -> str:
    trials = f"{_trials(study)} trials"
    counts = [f"{study[state]} {state}" for state in ("failed", "pruned") if study[state]]
    parts = [f"{trials} ({', '.join(counts)})" if counts else trials]
    if gap := _gap(study["gap"]):
        parts.append(f"{'best gap' if study['stage'] != 'benchmark' else 'gap'} {gap}")
    if rate := _rate(study["per_minute"]):
        parts.append(f"{rate} a minute")
    state = "" if math.isnan(study["left_s"]) else f", {_state(study)} left"
    scenario = ", ".join([study["dataset"], study["model"], study["task"], f"forgetting {study['forget']}"])
    return printable(
        f"{study['run']}: {study['method']} on {scenario}: {', '.join(parts)}, {study['state']}{state}"
    )


def _failures(view: View, most: int) -> list[str]:
    causes = run_state.failures(view.trials)
    texts = [
        printable(f"failed: {row.trials} x {row.error} ({row.methods})")
        for row in causes.head(most).itertuples()
    ]
    hidden = causes.iloc[most:]
    if len(hidden):
        texts.append(f"failed: {hidden['trials'].sum()} more for {_count(len(hidden), 'other cause')}")
    return texts


def _machines(view: View, most: int) -> list[str]:
    """The machines on which trials run now, with their share of a GPU."""
    if not view.drivers:
        return []
    used, texts = run_state.machines(view.trials, view.at), []
    for _, row in used.head(most).iterrows():
        share = f", {row['gpu_fraction']:g} GPU a trial" if row["gpu_fraction"] > 0 else ""
        texts.append(printable(f"on {row['host']}: {row['device']}{share}: {row['methods']}"))
    hidden = used.iloc[most:]
    if len(hidden):
        texts.append(f"and on {_count(len(hidden), 'other kind')} of machine or share")
    return texts


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
