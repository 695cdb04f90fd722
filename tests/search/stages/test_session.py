"""A local Ray session: the arguments, environment and files of its processes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cluster.facts import listeners
from cluster.slots import Slots
from cluster.tasks import Notify, in_parallel
from tests.marks import STARTS_RAY

pytestmark = STARTS_RAY


@pytest.fixture
def commands(ray_session: Slots) -> dict[int, list[str]]:
    """The command lines of the session's processes; some of them end soon."""
    lines: dict[int, list[str]] = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            lines[process.pid] = process.cmdline()
    return lines


@pytest.fixture
def folder(commands: dict[int, list[str]]) -> Path:
    """The folder of the session, from the command line of its raylet."""
    option = "--raylet_socket_name="
    name = next(part for line in commands.values() for part in line if part.startswith(option))
    return Path(name.removeprefix(option).partition("/r/session_")[0])


def test_every_server_requires_the_token_and_only_environments_contain_it(
    commands: dict[int, list[str]], folder: Path
) -> None:
    token = os.environ["RAY_AUTH_TOKEN"]
    servers = {
        listener.server: listener.token
        for listener in listeners()
        if listener.server and listener.pid in commands
    }
    assert {"GCS", "raylet"} <= set(servers)
    assert all(servers.values()), servers
    assert not [line for line in commands.values() if token in " ".join(line)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if token.encode() in path.read_bytes()]
    stored = Path.home() / ".ray" / "auth_token"
    assert not stored.exists() or stored.read_text() != token


def test_its_files_are_in_a_folder_that_only_this_user_can_enter(folder: Path) -> None:
    assert folder.name.startswith("unl-")
    assert folder.stat().st_mode & 0o077 == 0


def test_workers_search_user_folders_last(ray_session: Slots, tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("ANSWER = 42")
    slots = Slots(1, 1, 0, code=(str(tmp_path),))
    ((_, (path, answer)),) = in_parallel(_look, ["nets"], slots)
    assert (path[-1], answer) == (str(tmp_path), 42)
    assert path[0] != str(Path.cwd())  # where Ray puts the driver's current folder by default


def _look(name: str, report: Notify) -> tuple[list[str], int]:
    import importlib
    import sys

    return list(sys.path), importlib.import_module(name).ANSWER
