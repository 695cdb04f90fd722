"""An edit of a user's code changes its digest; comments, formatting and other files do not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.methods import methods
from benchmarks.metrics import metrics
from benchmarks.models import models
from benchmarks.sources import source_digest

Digest = Callable[[], str]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Digest]:
    """The digest of `zoo.nets.build`, a function of a package in a folder, as it is now."""
    package = tmp_path / "zoo"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(
        "from .layers import WIDTH\nimport helper\n\ndef build():\n    return WIDTH\n"
    )
    (package / "layers.py").write_text("WIDTH = 3\n")
    (package / "unrelated.py").write_text("x = 1\n")
    (tmp_path / "helper.py").write_text("import numpy\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def now() -> str:
        importlib.invalidate_caches()
        return source_digest(importlib.import_module("zoo.nets").build)

    yield now
    for name in ("zoo", "zoo.nets", "zoo.layers", "helper"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("file", ["zoo/nets.py", "zoo/layers.py", "zoo/__init__.py", "helper.py"])
def test_every_module_that_takes_part_counts(digest: Digest, tmp_path: Path, file: str) -> None:
    before = digest()
    with (tmp_path / file).open("a") as opened:
        opened.write("DEPTH = 2\n")
    assert digest() != before


def test_nothing_else_counts(digest: Digest, tmp_path: Path) -> None:
    before = digest()
    nets = tmp_path / "zoo/nets.py"
    nets.write_text("# a remark\n" + nets.read_text().replace("return WIDTH", "return (WIDTH)  # wide"))
    (tmp_path / "zoo/unrelated.py").write_text("x = 2\n")
    assert digest() == before
    assert len(before) == 12


def test_of_an_installed_package_only_the_modules_of_that_package_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "plugged.py").write_text("import neighbour\n\nclass Method:\n    pass\n")
    (installed / "neighbour.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(installed))
    plugged = importlib.import_module("plugged")
    before = source_digest(plugged.Method)
    (installed / "neighbour.py").write_text("x = 2\n")
    assert source_digest(plugged.Method) == source_digest(plugged.Method()) == before
    assert source_digest(partial(plugged.Method, 1)) == before
    del sys.modules["plugged"], sys.modules["neighbour"]


def test_what_ships_with_the_package_has_none() -> None:
    digests = [source_digest(type(method)) for method in methods]
    digests += [source_digest(metric.compute) for metric in metrics]
    digests += [source_digest(models.get(name).build) for name in models.names()]
    assert set(digests) == {""}
