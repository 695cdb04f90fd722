"""Habits of the shell: -h, --version, Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search.cli import main
from search.plans.sources import shipped

ROOT = Path(__file__).parents[2]
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """The command in this process: its exit code and its output."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unlearn", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return call


@pytest.fixture
def offered(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """The offers of Tab after some words, requested like the script for bash."""

    def ask(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_UNLEARN_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        status, out, err = typed()
        assert (status, err) == (0, "")
        return out.split("\n")[:-1] if out.strip() else []

    return ask


def test_version(typed: Typed) -> None:
    from importlib.metadata import version

    assert typed("--version") == (0, f"unlearnbench {version('unlearnbench')}\n", "")


@pytest.mark.parametrize("command", [(), ("search",), ("list",), ("job",), ("job", "logs"), ("report",)])
def test_help_is_short_too(typed: Typed, command: tuple[str, ...]) -> None:
    status, out, _ = typed(*command, "-h")
    assert status == 0
    assert out.startswith(f"Usage: {' '.join(('unlearn', *command))} ")
    assert typed(*command, "--help")[1] == out


def test_the_command_alone_prints_its_help(typed: Typed) -> None:
    assert typed() == typed("-h")


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        (["search", "x", "--trails", "5"], "unlearn search -h"),
        (["search"], "unlearn search -h"),
        (["job", "logs"], "unlearn job logs -h"),
        (["job", "log"], "unlearn job -h"),
        (["nothing"], "unlearn -h"),
    ],
)
def test_a_mistake_in_what_was_typed_leads_to_the_help_of_its_command(
    typed: Typed, arguments: list[str], page: str
) -> None:
    status, out, err = typed(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.endswith(f"; see `{page}`\n")
    assert len(err.splitlines()) == 1


def test_names_are_offered(offered: Callable[[str], list[str]]) -> None:
    assert offered("unlearn sea") == ["search"]
    assert offered("unlearn list m") == ["methods", "models", "metrics"]
    assert offered("unlearn list presets ji") == ["jit"]
    assert offered("unlearn list plans jit-table8") == ["jit-table8"]
    assert offered("unlearn list models r") == []
    assert offered("unlearn decode cifar10") == ["cifar10", "cifar100"]


def test_plans_are_offered_by_name_and_by_file(
    offered: Callable[[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("my.yaml", "my.txt", "mine/other.yml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for command in ("search", "run", "prepare", "benchmark", "sensitivity"):
        assert offered(f"unlearn {command} my") == ["my.yaml"]
    assert offered("unlearn run mine/") == ["mine/other.yml"]
    assert offered("unlearn run ./m") == ["./my.yaml"]
    assert offered("unlearn run none/") == []
    assert offered("unlearn run jit-") == [name for name in shipped() if name.startswith("jit-")]


def test_a_completion_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom search.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print({'torch', 'ray', 'optuna', 'pandas', 'matplotlib', 'pyarrow'} & set(sys.modules))"
    )
    words = {"COMP_WORDS": "unlearn\nsearch\ndem", "COMP_CWORD": "2"}
    environment = {**os.environ, **words, "_UNLEARN_COMPLETE": "complete_bash"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "demo\nset()\n", done.stderr


def test_bash_itself_completes(tmp_path: Path) -> None:
    """The installed script in a real bash: the completion of `unlearn list plans jit-table8`."""
    command = tmp_path / "unlearn"
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from search.cli import main; main()' \"$@\"\n")
    command.chmod(0o755)
    lines = f"""
export PATH={tmp_path}:$PATH PYTHONPATH={ROOT}
eval "$(_UNLEARN_COMPLETE=source_bash unlearn)"
COMP_WORDS=(unlearn list plans jit-table1) COMP_CWORD=3
_unlearn_completion unlearn
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p unlearn
"""
    done = subprocess.run(["bash", "--norc", "-c", lines], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    offered, (registered,) = done.stdout.splitlines()[:-1], done.stdout.splitlines()[-1:]
    assert "jit-table10" in offered
    assert "jit-table8" not in offered
    assert registered == "complete -o default -F _unlearn_completion unlearn"


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("zsh", '_arguments \'*: :(("jit-figure4":"JiT, figure 4\\\\: a network of two '),
        ("fish", "jit-figure4\tJiT, figure 4: a network of two "),
    ],
)
def test_other_shells_are_answered_with_what_names_mean(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, shell: str, expected: str
) -> None:
    monkeypatch.setenv("_UNLEARN_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "unlearn run jit-fig")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    status, out, _ = typed()
    assert status == 0
    assert out.startswith(expected)
    assert len(out.splitlines()) == 1, "a wrapped name would be taken for two"
