"""The one module that users import: light, complete, and typed as what it hands out."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import unlearnbench as ub

HEAVY = ("torch", "ray", "optuna", "pandas", "matplotlib", "pyarrow", "pydantic", "numpy")


def test_the_import_is_light() -> None:
    loaded = f"', '.join({set(HEAVY)} & {{*sys.modules}})"
    code = f"import sys, unlearnbench; dir(unlearnbench); sys.exit({loaded} or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(ub._HOME))
def test_every_name_leads_somewhere_and_is_listed(name: str) -> None:
    assert getattr(ub, name) is not None
    assert name in dir(ub)


def test_the_types_that_editors_see_are_those_of_the_table() -> None:
    tree = ast.parse(Path(ub.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.asname: f"{node.module}" + (f":{alias.name}" if alias.name != alias.asname else "")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == ub._HOME
    assert sorted(typed) == sorted(ub.__all__)


def test_the_version_is_that_of_the_distribution_and_an_unknown_name_is_an_attribute_error() -> None:
    from importlib.metadata import version

    assert ub.__version__ == version("unlearnbench")
    with pytest.raises(AttributeError, match="module 'unlearnbench' has no attribute 'serach'"):
        ub.serach  # noqa: B018
