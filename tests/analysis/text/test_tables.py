from __future__ import annotations

import io

import pandas as pd

from analysis.breakdown import by_class, overall
from analysis.text.tables import escape, to_csv, to_latex, to_markdown
from tests.analysis.conftest import benchmark_rows, frame, measured


def test_markdown_has_mean_and_deviation_and_leaves_constant_scenario_out() -> None:
    lines = to_markdown(overall(frame(benchmark_rows()))).splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:4]] == ["Method", "Parameters", "Tuned on"]
    assert len({len(line) for line in lines}) == 1
    [tuned] = [line for line in lines if "| tuned  " in line]
    assert "13.0 ± 1.4" in tuned
    assert "digits" not in tuned


def test_several_scenarios_are_named_and_failures_shown() -> None:
    rows = [measured("jit", 1), measured("jit", 1, dataset="mnist"), measured("jit", 2, state="failed")]
    text = to_markdown(by_class(frame(rows)))
    assert "mnist" in text
    assert "Failed" in text


def test_a_single_seed_has_no_deviation_and_missing_figures_are_a_dash() -> None:
    text = to_markdown(by_class(frame([measured("jit", 1), measured("ssd", 1, state="failed")])))
    jit, ssd = text.splitlines()[2:]
    assert "±" not in jit
    assert "\N{EN DASH}" in ssd


def test_a_pipe_in_a_name_does_not_break_the_markdown_table() -> None:
    text = to_markdown(by_class(frame([measured("jit", 1, forget="a|b")])))
    assert "a\\|b" in text


def test_latex_is_a_booktabs_table_with_names_escaped() -> None:
    text = to_latex(by_class(frame([measured("my_method", s, forget="a&b", gap=7.0 + s) for s in (1, 2)])))
    assert r"my\_method" in text
    assert r"a\&b" in text
    assert r"$8.5 \pm 0.7$" in text
    assert r"Retain accuracy (\%)" in text
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"):
        assert text.count(rule) == 1
    columns = text.splitlines()[0].split("{")[-1].rstrip("}")
    assert all(line.count(" & ") == len(columns) - 1 for line in text.splitlines() if line.endswith(r"\\"))


def test_escape_leaves_nothing_that_latex_would_read() -> None:
    assert escape("50% _{x}\\~") == r"50\% \_\{x\}\textbackslash{}\textasciitilde{}"


def test_csv_keeps_full_precision() -> None:
    table = by_class(frame([measured("jit", s, gap=1 / 3) for s in (1, 2)]))
    back = pd.read_csv(io.StringIO(to_csv(table)))
    assert back["gap_mean"].iloc[0] == 1 / 3


def test_names_in_tables_are_text() -> None:
    table = by_class(frame([measured("jit", 1, forget=name) for name in ("[red]", "=1+1", "two\nlines")]))
    latex = to_latex(table)
    assert "{[}red{]}" in latex
    assert r"two\textbackslash{}nlines" in latex
    assert r"| two\\nlines" in to_markdown(table)
    assert "| [red]" in to_markdown(table)
    back = pd.read_csv(io.StringIO(to_csv(table)))
    assert set(back["forget"]) == {"[red]", "'=1+1", r"two\nlines"}
    assert back["unlearn_s_mean"].tolist() == [0.5] * 3
