from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from analysis import cli
from analysis.errors import AnalysisError
from tests.analysis.conftest import measured, trial, write


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


def test_missing_stages_say_which_command_to_run(tmp_path: Path) -> None:
    write(tmp_path, [trial(0)])
    with pytest.raises(AnalysisError, match="unlearn benchmark"):
        cli.breakdown(tmp_path)
    other = tmp_path / "other"
    write(other, [measured("jit", 1)])
    with pytest.raises(AnalysisError, match="unlearn search"):
        cli.importance(other)
