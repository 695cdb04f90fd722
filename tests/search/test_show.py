"""`unlearn show`: pages about anything that has a name, and plans to copy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.datasets import datasets
from benchmarks.methods import methods
from benchmarks.metrics import metrics
from benchmarks.models import models
from benchmarks.pages import pages, print_page
from search.plans.files import parse
from search.plans.sources import shipped
from tests.search.test_shell import Typed, typed

__all__ = ["typed"]


@pytest.mark.parametrize("width", ["60", "80"])
def test_everything_that_has_a_name_has_a_page(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    for registry in (methods, models, datasets, metrics):
        for entry in registry:
            (page,) = pages(entry.name)
            assert page.facts["source"]
            print_page(page)
            out = capsys.readouterr().out
            text = out.partition("\nhyper-parameters:")[0]
            assert max(map(len, text.splitlines())) <= int(width)
            assert " ".join(entry.summary.split()) in " ".join(out.split())


def test_a_methods_page(typed: Typed) -> None:
    status, out, _ = typed("show", "jit")
    assert status == 0
    for part in ("jit, a method", "Foster et al.", "access ", "full_class", "1e-06 to 5", "vgg11_full_class"):
        assert part in out
    assert "Deviations from the published code" in out
    page = json.loads(typed("show", "jit", "--json")[1])
    assert page["kind"] == "method"
    assert [p["hyper_parameter"] for p in page["hyper_parameters"]][:2] == ["lr", "sigma"]
    assert page["presets"][0]["values"] == {"lr": 3e-4, "sigma": 0.5, "batch_size": 128}


@pytest.mark.parametrize("name", shipped())
def test_a_plan_is_printed_unchanged(name: str, typed: Typed) -> None:
    status, out, err = typed("show", name)
    assert (status, out, err) == (0, shipped()[name].read_text(), "")
    assert parse(out)


def test_a_plan_of_your_own(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    assert typed("show", str(tmp_path / "mine.yaml")) == (0, "name: mine\n", "")
    assert json.loads(typed("show", str(tmp_path / "mine.yaml"), "--json")[1])["yaml"] == "name: mine\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("JiT", "unknown name 'JiT'; did you mean 'jit'?"),
        ("cifar-10", "unknown name 'cifar-10'; did you mean 'cifar10'?"),
        ("jit-tabel8", "did you mean 'jit-table8'"),
        ("jit-table1", "jit-table1 is part of jit-table9: unlearn run jit-table9"),
        ("import:mine:build", "is your own code, which is not run to show it"),
        ("cifar10@3", "after the @ write a number of training images"),
    ],
)
def test_other_names_are_refused_with_a_suggestion(name: str, message: str, typed: Typed) -> None:
    status, out, err = typed("show", name)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_variant_has_a_page(typed: Typed) -> None:
    assert "500 training and" in typed("show", "cifar100@500")[1]
    assert "16 pixels; images are resized" in typed("show", "cnn2@16")[1]
