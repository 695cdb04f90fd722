"""The examples in docstrings run and print the stated output."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("analysis", "benchmarks", "cluster", "search", "unlearnbench")
SOURCES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_there_are_examples() -> None:
    assert {path.parts[0] for path in SOURCES} >= {"analysis", "benchmarks"}


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_examples_print_the_stated_output(source: Path) -> None:
    name = ".".join(source.with_suffix("").parts).removesuffix(".__init__")
    written = re.findall(r"^\s*>>> ", (ROOT / source).read_text(encoding="utf-8"), flags=re.MULTILINE)
    done = doctest.testmod(importlib.import_module(name))
    assert done.failed == 0
    assert done.attempted == len(written), "doctest does not find examples of a decorated function"
