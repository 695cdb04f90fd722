"""The module that users import: fast, complete, and with the types of its names."""

from __future__ import annotations

import ast
import os
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


def test_types_for_editors_agree_with_the_table_of_names() -> None:
    tree = ast.parse(Path(ub.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.asname: {f"{node.module}:{alias.name}", f"{node.module}.{alias.name}:"}
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(typed) == sorted(ub._HOME) == sorted(ub.__all__)
    for name, home in ub._HOME.items():
        assert (home if ":" in home else f"{home}:{name}") in typed[name], name


def test_the_version_is_the_distributions_and_unknown_names_are_attribute_errors() -> None:
    from importlib.metadata import version

    assert ub.__version__ == version("unlearnbench")
    with pytest.raises(AttributeError, match="module 'unlearnbench' has no attribute 'serach'"):
        ub.serach  # noqa: B018


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder with user files that have the names of our packages."""
    for name in ("analysis", "benchmarks", "cluster", "search"):
        (tmp_path / f"{name}.py").write_text("")
    return tmp_path


def script(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(code)
    known = {k: v for k, v in os.environ.items() if k != "UNLEARN_PATH_LAST"}
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, env=known | environment
    )


def test_our_packages_come_before_files_next_to_a_script_without_changing_its_path(theirs: Path) -> None:
    code = """
import os, sys
before = list(sys.path)
import unlearnbench as ub
ub.Plan
import search
assert sys.path == before
print(hasattr(search, "__path__"), os.environ.get("PYTHONPATH"), os.environ["UNLEARN_PATH_LAST"])
"""
    done = script(theirs, code, PYTHONPATH=str(theirs))
    assert done.stdout == f"True None {theirs}\n", done.stderr


def test_a_user_module_that_is_already_imported_is_named(theirs: Path) -> None:
    done = script(theirs, "import search\nimport unlearnbench as ub\nub.Plan\n")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        f"ImportError: {theirs}/search.py is imported as 'search', which is the name of a "
    )
