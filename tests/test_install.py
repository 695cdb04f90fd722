"""The set-up of `make demo` and `make test` shows the current step of pip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / ".ci" / "install.py"


@pytest.fixture
def install() -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("install", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_phases_are_read_from_the_output_of_pip(install: ModuleType) -> None:
    phase, texts = install.Phase(), []
    for line in (
        "Collecting ray>=2.57 (from ray[tune]>=2.57->unlearnbench==0.1.0)\n",
        "  Downloading torch-2.15.0-cp311-cp311-manylinux_2_28_x86_64.whl (888.1 MB)\n",
        "Progress 0 of 0\n",
        "Progress 444000000 of 888000000\n",
        "Requirement already satisfied: numpy>=1.26 in ./.venv/lib\n",
        "  Preparing editable metadata (pyproject.toml): started\n",
        "Installing collected packages: a, b, c\n",
    ):
        phase.read(line)
        texts.append(phase.text)
    assert texts == [
        "looking for ray",
        "downloading torch-2.15.0 (888.1 MB)",
        "downloading torch-2.15.0 (888.1 MB)",
        "downloading torch-2.15.0 (888.1 MB), 50 %",
        "downloading torch-2.15.0 (888.1 MB), 50 %",
        "preparing editable metadata (pyproject.toml)",
        "installing 3 packages",
    ]


def test_a_failure_shows_the_output_of_pip_and_ends_with_its_status() -> None:
    ended = subprocess.run(
        [sys.executable, SCRIPT, "--no-such-option"], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert "no such option" in ended.stdout
