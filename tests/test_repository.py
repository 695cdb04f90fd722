"""The files around the code: what they promise exists, and they agree with each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
COMMUNITY = (
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    ".pre-commit-config.yaml",
    ".github/workflows/ci.yml",
    ".github/ISSUE_TEMPLATE/bug.yml",
    ".github/ISSUE_TEMPLATE/request.yml",
    ".github/pull_request_template.md",
    "examples/README.md",
)


def text(name: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    """The parsed CI workflow."""
    return dict(yaml.safe_load(text(".github/workflows/ci.yml")))


@pytest.mark.parametrize("name", COMMUNITY)
def test_a_file_that_visitors_look_for_exists(name: str) -> None:
    assert text(name).strip()


def test_make_help_lists_every_target_with_a_comment() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    targets = re.findall(r"^([\w-]+):.*## (.+)$", text("Makefile"), flags=re.MULTILINE)
    assert {"demo", "test", "check", "help"} <= {name for name, _ in targets}
    plain = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}  # `make test` sets it
    for arguments in (["make", "--no-print-directory", "help"], ["make", "--no-print-directory"]):
        done = subprocess.run(arguments, cwd=ROOT, env=plain, capture_output=True, text=True, timeout=60)
        assert [tuple(line.split(maxsplit=2)[1:]) for line in done.stdout.splitlines()] == targets
    named = set(re.findall(r"`make ([\w-]+)`", text("README.md") + text("CONTRIBUTING.md")))
    assert named <= {name for name, _ in targets}


def test_the_workflow_runs_the_targets_of_the_checks_before_a_merge(workflow: dict[str, Any]) -> None:
    checks = set(re.findall(r"^make ([\w-]+)$", text(".ci/run"), flags=re.MULTILINE))
    job = workflow["jobs"]["make"]
    assert {step.get("run") for step in job["steps"]} >= {"make ${{ matrix.target }}"}
    assert set(job["strategy"]["matrix"]["target"]) == checks


def test_the_workflow_has_few_permissions_time_limits_and_pinned_actions(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))


def test_the_lowest_versions_are_those_of_the_project() -> None:
    import tomllib

    spec = spec_from_file_location("lowest", ROOT / ".ci" / "lowest.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.lowest(["ray[tune]>=2.57", "numpy >= 1.26", "pandas"]) == ["ray==2.57", "numpy==1.26"]
    dependencies = tomllib.loads(text("pyproject.toml"))["project"]["dependencies"]
    assert len(module.lowest(dependencies)) == len(dependencies), "every dependency has a lower bound"


def test_hooks_before_a_commit_need_no_network() -> None:
    [repository] = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")
    pages = next(re.compile(hook["files"]) for hook in repository["hooks"] if "files" in hook)
    for name in ("README.md", "docs/plans.md", "examples/new_method.py", "examples/README.md"):
        assert pages.search(name), name


@pytest.mark.parametrize("name", ["bug", "request"])
def test_an_issue_template_has_the_keys_that_github_needs(name: str) -> None:
    form = yaml.safe_load(text(f".github/ISSUE_TEMPLATE/{name}.yml"))
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids))


def test_every_example_is_listed() -> None:
    examples = {path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".py", ".ipynb")}
    assert set(re.findall(r"^\| \[`([\w.]+)`\]", text("examples/README.md"), flags=re.MULTILINE)) == examples


def test_all_state_the_same_version() -> None:
    import tomllib

    import unlearnbench as ub

    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    command = [sys.executable, "-c", "from unlearnbench.command import main; main()", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert shown.stdout == f"unlearnbench {version}\n"
    assert ub.__version__ == version
    assert yaml.safe_load(text("CITATION.cff"))["version"] == version
    assert f"## [{version}]" in text("CHANGELOG.md")


def test_the_readme_is_short_and_has_a_small_picture() -> None:
    readme = text("README.md")
    assert len(readme.splitlines()) <= 135
    [picture] = re.findall(r"!\[[^]]+\]\(([^)]+)\)", readme)
    assert (ROOT / picture).stat().st_size < 200_000
