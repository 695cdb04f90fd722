"""The examples of the README and the docs run unchanged."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_notebook_example(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("README.md", "python")
    assert len([line for line in example.splitlines() if line.strip()]) <= 5
    exec(example, {})
    forgotten, target, seconds = map(float, capsys.readouterr().out.split())
    assert target == 0
    assert forgotten < 90
    assert 0 < seconds < 60


def test_the_tables_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.analysis.conftest import benchmark_rows, progress_rows, search_rows, write

    done = benchmark_rows()
    write(tmp_path / "results", [*search_rows(), *done])
    write(
        tmp_path / "results", [r for row in done for r in progress_rows({**row, "method": "gkt"})], "progress"
    )
    monkeypatch.chdir(tmp_path)
    stages, course, large = blocks("docs/tables.md", "python")
    for example in (stages, large):
        exec(example, {})
        shown = capsys.readouterr().out
        assert "transferred" in shown
        assert "5.0" in shown
    exec(course, {})
    assert "forget_acc" in capsys.readouterr().out


def test_the_plan_of_the_readme_is_valid() -> None:
    from search.plans.files import parse

    (plan,) = blocks("README.md", "yaml")
    assert parse(plan)[0].name == "rocket"


def test_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from search.plans.files import parse
    from tests.analysis.conftest import search_rows, write

    (plan,) = blocks("docs/tutorial.md", "yaml")
    assert parse(plan)[0].name == "first"
    (example,) = blocks("docs/tutorial.md", "python")
    write(tmp_path / "results", search_rows())
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert "forget_acc" in capsys.readouterr().out


def test_adding_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.methods import methods

    definition, use, contract = blocks("docs/adding-a-method.md", "python")
    (tmp_path / "uniform_method.py").write_text(definition)
    monkeypatch.syspath_prepend(str(tmp_path))
    methods.names()
    try:
        __import__("uniform_method")
        names: dict[str, object] = {}
        exec(use, names)
        result = names["result"]
        assert result.state == "complete", result.error  # type: ignore[attr-defined]
        assert result.metrics["forget_acc"] < 100  # type: ignore[attr-defined]
        exec(contract, {})
    finally:
        methods.remove("uniform")


def on_the_path(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """Write a module that is removed from the imported ones after the test."""
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(sys.modules, name, None)  # so that the change is undone
    del sys.modules[name]


def test_adding_a_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.metrics import metrics

    definition, use, contract = blocks("docs/adding-a-metric.md", "python")
    on_the_path(tmp_path, monkeypatch, "confidence_metric", definition)
    metrics.names()
    try:
        __import__("confidence_metric")
        exec(use, {})
        unlearned, retrained = map(float, capsys.readouterr().out.split())
        assert 0 <= retrained < unlearned <= 100
        exec(contract, {})
    finally:
        metrics.remove("forget_confidence")


def test_adding_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.models import models

    definition, use, contract = blocks("docs/adding-a-network.md", "python")
    on_the_path(tmp_path, monkeypatch, "dense64", definition)
    models.names()
    try:
        names: dict[str, object] = {}
        exec(use, names)
        assert names["result"].state == "complete"  # type: ignore[attr-defined]
        assert names["digits"].targets("test")["retain_acc"] > 85  # type: ignore[attr-defined]
        exec(contract, {})
    finally:
        models.remove("dense64")


def test_adding_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from search.plans.files import parse

    definition, use, contract = blocks("docs/adding-a-data-set.md", "python")
    on_the_path(tmp_path, monkeypatch, "shapes", definition)
    names: dict[str, object] = {}
    exec(use, names)
    assert names["result"].state == "complete"  # type: ignore[attr-defined]
    assert names["shapes"].targets("test")["retain_acc"] > 90  # type: ignore[attr-defined]
    exec(contract, {})
    (plan,) = blocks("docs/adding-a-data-set.md", "yaml")
    assert parse(plan, allow_code=True)[0].dataset == "import:shapes:build"


@pytest.mark.parametrize("page", ["method", "metric", "network", "data-set"])
def test_pages_on_adding_something_have_five_steps(page: str) -> None:
    text = (ROOT / f"docs/adding-a-{page}.md").read_text()
    assert re.findall(r"^\*\*(\d)\. ", text, flags=re.MULTILINE) == list("12345")


def test_every_key_of_a_plan_is_documented() -> None:
    from search.plans.plan import Benchmark, Plan, Resources, Search, Training

    page = (ROOT / "docs/plans.md").read_text()
    sections = {"search": Search, "benchmark": Benchmark, "training": Training, "resources": Resources}
    for key in Plan.model_fields:
        if key not in sections:
            assert f"`{key}`" in page, key
    for section, model in sections.items():
        for key in model.model_fields:
            assert f"`{section}.{key}`" in page, f"{section}.{key}"


@pytest.mark.parametrize(
    "page",
    sorted(
        str(path.relative_to(ROOT))
        for folder in (ROOT, ROOT / "docs", ROOT / "examples")
        for path in folder.glob("*.md")
    ),
)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        if not target.startswith("http"):
            assert (folder / target).exists(), target


def test_the_page_of_methods_has_every_method() -> None:
    from benchmarks.methods import methods

    page = (ROOT / "docs/methods.md").read_text()
    assert [m.name for m in methods if f"`{m.name}`" not in page] == []
    count = sum(not m.reference for m in methods)
    assert f"There are {count} methods " in (ROOT / "README.md").read_text()


def test_the_page_of_published_values_agrees_with_the_shipped_plans() -> None:
    from tests.published_values import PAGE, page

    assert PAGE.read_text() == page()
