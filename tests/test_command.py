"""The command imports its packages, regardless of the user's files in the working folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = "import sys; sys.path.pop(0); from unlearnbench.command import main; main()"
SHOW = """
import json, os, sys; sys.path.pop(0)
from unlearnbench.paths import put_last
put_last()
print(json.dumps([sys.path, os.environ.get("PYTHONPATH")]))
"""


def run(here: Path, pythonpath: object, *arguments: str, code: str = COMMAND) -> tuple[int, str, str]:
    environment = {k: v for k, v in os.environ.items() if k != "UNLEARN_PATH_LAST"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=here,
        env=environment | {"PYTHONPATH": str(pythonpath)},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder with user files that have the names of our packages."""
    for name in ("analysis", "search", "cluster", "benchmarks"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('theirs')\n")
    (tmp_path / "nets.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("pythonpath", [":.", "THEIRS:"])
def test_files_with_our_names_are_not_ours(theirs: Path, pythonpath: str) -> None:
    status, out, err = run(theirs, pythonpath.replace("THEIRS", str(theirs)), "list", "plans")
    assert (status, err, "jit-table8" in out) == (0, "", True)


def test_pythonpath_keeps_its_order_except_for_folders_that_hide_our_packages(
    theirs: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import json

    plugin, here = tmp_path_factory.mktemp("plugin"), tmp_path_factory.mktemp("here")
    _, out, err = run(here, f"{theirs}:{plugin}:", code=SHOW)
    assert out, err
    path, variable = json.loads(out)
    assert (path[0], path[-1], variable) == (str(plugin), str(theirs), str(plugin))
    assert str(here) not in path


def test_a_module_that_still_hides_ours_is_named(theirs: Path) -> None:
    code = f"import sys; sys.path.insert(1, {str(theirs)!r}); {COMMAND}"
    (theirs / "search.py").unlink()
    status, _, err = run(Path("/"), "", code=code)
    assert status == 2
    assert err.startswith(f"error: {theirs}/analysis.py hides the package 'analysis' of ")
    assert len(err.splitlines()) == 1


def test_an_interruption_during_the_import_of_the_command_is_one_line() -> None:
    code = f"""
import sys
class Interrupt:
    def find_spec(name, path=None, target=None):
        if name == "search.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt)
{COMMAND}"""
    assert run(Path("/"), "", code=code) == (130, "", "error: interrupted before anything was started\n")
