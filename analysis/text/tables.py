"""Result tables as text: the tables of `analysis.breakdown` in Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from analysis.spread import COUNTS
from analysis.studies import SCENARIO
from analysis.text.labels import figure, label, mean_std, repetitions
from analysis.text.names import markdown, printable, spreadsheet

_HEADS = {
    "dataset": "Data set",
    "model": "Model",
    "task": "Task",
    "method": "Method",
    "regime": "Parameters",
    "preset": "Preset",
    "tuned_on": "Tuned on",
    "forget": "Forget set",
    "n": "n",
    "failed": "Failed",
    "over": "± over",
}
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
    **{c: f"{{{c}}}" for c in "[]*"},  # LaTeX would read them as arguments of a line's end
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def metrics_of(frame: pd.DataFrame) -> list[str]:
    """The metrics of a summary table, in its order."""
    return [name.removesuffix("_mean") for name in frame.columns if name.endswith("_mean")]


def shown(frame: pd.DataFrame, plus_minus: str = " ± ") -> pd.DataFrame:
    """A summary table as strings with readable heads.

    Columns of the scenario and the column `over` are left out if they are the same in every row, and so are
    empty columns, and `failed` if nothing failed. Other columns follow after the figures.
    """
    columns: dict[str, list[str]] = {}
    for name, head in _HEADS.items():
        if name not in frame:
            continue
        values = [str(value) for value in frame[name]]
        constant = len(set(values)) < 2 and name in (*SCENARIO, "over")
        if constant or set(values) <= {""} or (name == "failed" and set(values) <= {"0"}):
            continue
        columns[head] = values
    for metric in metrics_of(frame):
        pairs = zip(frame[f"{metric}_mean"], frame[f"{metric}_std"], strict=True)
        columns[label(metric)] = [mean_std(mean, std, metric, plus_minus) for mean, std in pairs]
    for name in others(frame):
        real = pd.api.types.is_float_dtype(frame[name])
        columns[label(name)] = [figure(float(v), name) if real else str(v) for v in frame[name]]
    return pd.DataFrame(columns)


def others(frame: pd.DataFrame) -> list[str]:
    """The columns of a table other than the names of a line, means, deviations and counts."""
    figures = {f"{metric}_{part}" for metric in metrics_of(frame) for part in ("mean", "std")}
    known = {*_HEADS, *figures, *COUNTS, "forget_sets"}
    return [name for name in map(str, frame.columns) if name not in known]


def spread_sentence(frame: pd.DataFrame) -> str:
    """A sentence about the unit of a summary table's deviations."""
    names = [name for name in ("forget_sets", *COUNTS) if name in frame]
    measured = frame.loc[frame["n"] > 0, names]
    over = repetitions(**{name: int(measured[name].max()) for name in names}) if len(measured) else ""
    if not over:
        return "Every line is a single trial, so there is no ±."
    most = "up to " if (measured.nunique() > 1).any() else ""
    return f"± is the standard deviation over {most}{over}."


def to_markdown(frame: pd.DataFrame) -> str:
    """A pipe table with mean ± standard deviation, columns aligned."""
    table = shown(frame).map(markdown)
    widths = {name: max([len(name), 3, *map(len, table[name])]) for name in table.columns}
    rule = ["-" * width for width in widths.values()]
    rows = [table.columns.tolist(), rule, *table.to_numpy().tolist()]
    lines = (" | ".join(text.ljust(w) for text, w in zip(row, widths.values(), strict=True)) for row in rows)
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def to_latex(frame: pd.DataFrame) -> str:
    r"""A `tabular` with $mean \pm std$ to put into a `table`; needs \usepackage{booktabs}."""
    table = shown(frame, r" \pm ")
    figures = {label(metric) for metric in metrics_of(frame)}
    figures |= {label(name) for name in others(frame) if pd.api.types.is_numeric_dtype(frame[name])}
    cells = {
        name: [f"${text}$" if name in figures and _is_number(text) else escape(text) for text in table[name]]
        for name in table.columns
    }
    align = "".join("r" if name in figures or name in ("n", "Failed") else "l" for name in table.columns)
    head = " & ".join(map(escape, table.columns))
    body = [" & ".join(row) + r" \\" for row in zip(*cells.values(), strict=True)]
    lines = [rf"\begin{{tabular}}{{{align}}}", r"\toprule", head + r" \\", r"\midrule", *body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _is_number(text: str) -> bool:
    return text.removeprefix("-")[:1].isdigit()


def to_csv(frame: pd.DataFrame) -> str:
    """Every column with full precision, a line per row; spreadsheets do not read any text as a formula."""
    return as_cells(frame).to_csv(index=False)


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Every row as plain values by column, for JSON; missing values and nan are None."""
    text = frame.to_json(orient="records", double_precision=15, date_format="iso")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def to_json(frame: pd.DataFrame) -> str:
    """Every row as an object, in one JSON document."""
    return json.dumps(to_records(frame), indent=2, ensure_ascii=False) + "\n"


def as_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with text that spreadsheets show as it is."""
    return frame.map(lambda value: spreadsheet(value) if isinstance(value, str) else value)


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_ESCAPES.get(c, c) for c in printable(text)).replace("\N{EN DASH}", "--")
