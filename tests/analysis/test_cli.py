from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from analysis import cli
from analysis.errors import AnalysisError
from tests.analysis.conftest import measured, printed_rows, trial, write


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    cli.register(made)
    return made


def run(app: typer.Typer, *words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_report_prints_where_it_is(app: typer.Typer, tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", 1)])
    out = tmp_path / "page.html"
    assert run(app, "report", tmp_path, "--out", out).strip() == str(out)
    assert out.exists()


def test_breakdown_prints_each_format(app: typer.Typer, results: Path) -> None:
    assert run(app, "breakdown", results).startswith("| Method")
    assert run(app, "breakdown", results, "--format", "latex").startswith(r"\begin{tabular}")
    by_class = run(app, "breakdown", results, "--format", "csv").splitlines()
    by_method = run(app, "breakdown", results, "--format", "csv", "--by", "method").splitlines()
    assert (len(by_class), len(by_method)) == (1 + 9, 1 + 5)


def test_importance_prints_shares_or_the_reason(app: typer.Typer, results: Path, tmp_path: Path) -> None:
    assert "lr " in run(app, "importance", results)
    write(tmp_path, [trial(0)])
    assert "no parameter was varied" in run(app, "importance", tmp_path)


def test_json_is_a_document_of_rows(app: typer.Typer, results: Path, tmp_path: Path) -> None:
    rows = json.loads(run(app, "breakdown", results, "--json", "--by", "method"))
    assert len(rows) == 5
    assert all(isinstance(row["gap_mean"], float) or row["gap_mean"] is None for row in rows)
    (study, *_) = json.loads(run(app, "importance", results, "--json"))
    assert "lr" in [parameter["parameter"] for parameter in study["parameters"]]
    assert study["forget"]
    write(tmp_path, printed_rows("jit", "rocket", (66.0, 14.0, 2.9)))
    cells = json.loads(run(app, "compare", tmp_path, "--table", "jit-table8", "--json"))
    assert len(cells) == 236
    assert {cell["status"] for cell in cells} >= {"compared"}


def test_missing_stages_say_which_command_to_run(tmp_path: Path) -> None:
    write(tmp_path, [trial(0)])
    with pytest.raises(AnalysisError, match="unlearn benchmark"):
        cli.breakdown(tmp_path)
    other = tmp_path / "other"
    write(other, [measured("jit", 1)])
    with pytest.raises(AnalysisError, match="unlearn search"):
        cli.importance(other)


def test_compare_prints_every_cell_tab_separated(app: typer.Typer, tmp_path: Path) -> None:
    write(tmp_path, printed_rows("jit", "rocket", (66.0, 14.0, 2.9)))
    head, *lines = run(app, "compare", tmp_path, "--table", "jit-table8").splitlines()
    assert {"printed_mean", "mean", "difference", "within", "status"} <= set(head.split("\t"))
    assert len(lines) == 236
    assert len([line for line in lines if line.endswith("compared")]) == 4
    assert len(run(app, "compare", tmp_path).splitlines()) > 2000


def test_compare_sets_several_folders_side_by_side(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / "a", tmp_path / "b"]
    for number, folder in enumerate(places):
        write(folder, printed_rows("jit", "rocket", (66.0 + number, 14.0, 2.9)))
    head, *lines = run(app, "compare", *places, "--table", "jit-table8").splitlines()
    assert head.startswith("results\t")
    assert {line.split("\t")[0] for line in lines} == {str(folder) for folder in places}
    assert len(lines) == 2 * 236
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    shown = run(app, "compare", *places)
    assert all(f"{folder}: JiT, table 8" in shown for folder in places)


def test_compare_shows_the_table_in_a_terminal(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    write(tmp_path, printed_rows("jit", "rocket", (66.0, 14.0, 2.9), dataset="cifar100@1000"))
    shown = run(app, "compare", tmp_path)
    assert "JiT, table 8 (cifar100, vgg11, full_class), run as cifar100@1000, vgg11_133m (scaled)" in shown
    assert "14.2 ± 0.6" in shown
    assert "never run" not in shown


def test_compare_says_what_could_be_run_or_was_meant(tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", 1)])
    with pytest.raises(AnalysisError, match="did you mean 'jit-table8'"):
        cli.compare([str(tmp_path)], "jit-tabel8")
    with pytest.raises(AnalysisError, match=r"run for jit-table8; run a benchmark of .* cifar100 with vgg11"):
        cli.compare([str(tmp_path)], "jit-table8")
    write(tmp_path / "searched", [trial(0)])
    with pytest.raises(AnalysisError, match="unlearn benchmark"):
        cli.compare([str(tmp_path / "searched")])


def test_names_in_the_terminal_are_text(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"dataset": "cifar100@\x1b[2J", "regime": "published", "preset": "[red] :apple:"}
    rows = printed_rows("jit", "rocket", (66.0, 14.0, 2.9), **fields)
    write(tmp_path, [*rows, trial(0, forget="[/x]\x1b[31m")])
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    shown = run(app, "compare", tmp_path)
    assert "published: [red] :apple:" in shown
    assert r"cifar100@\x1b[2J" in shown
    assert r"forgetting [/x]\x1b[31m" in run(app, "importance", tmp_path)


def test_figures_and_tables_are_written_and_listed(app: typer.Typer, results: Path, tmp_path: Path) -> None:
    assert "jit-7         JiT, figure 7" in run(app, "figure")
    run(app, "figure", "breakdown", results, "--to", tmp_path / "new", "--format", "svg", "--data")
    name = "breakdown-digits-cnn2-full_class"
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == [f"{name}.csv", f"{name}.svg"]
    assert "quality" in run(app, "table")
    assert run(app, "table", "methods", results, "--format", "latex").startswith(r"\begin{tabular}")
