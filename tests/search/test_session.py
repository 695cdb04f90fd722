"""A session of this machine's own, with everything that its processes are told and leave."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from cluster.connect import Slots
from cluster.facts import listeners
from cluster.tasks import in_parallel


def test_the_token_of_a_session_is_in_no_file_and_every_server_asks_for_it(ray_session: Slots) -> None:
    file = Path.home() / ".ray" / "auth_token"
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert not file.exists() or file.read_text() != os.environ["RAY_AUTH_TOKEN"]
    family = {process.pid for process in psutil.Process().children(recursive=True)}
    servers = {found.server: found.token for found in listeners() if found.server and found.pid in family}
    assert {"GCS", "raylet"} <= set(servers)
    assert all(servers.values()), servers


def test_its_files_lie_in_a_folder_that_only_this_user_may_read(ray_session: Slots) -> None:
    command = next(
        line
        for process in psutil.Process().children(recursive=True)
        if "--raylet_socket_name" in (line := " ".join(process.cmdline()))
    )
    folder = Path(command.partition("--raylet_socket_name=")[2].partition("/session_")[0]).parent
    assert folder.name.startswith("unl-")
    assert folder.stat().st_mode & 0o077 == 0


def test_workers_look_for_modules_of_the_users_last(ray_session: Slots, tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("ANSWER = 42")
    slots = Slots(1, 1, 0, code=(str(tmp_path),))
    ((_, (path, answer)),) = in_parallel(_look, ["nets"], slots)
    assert (path[-1], answer) == (str(tmp_path), 42)


def _look(name: str) -> tuple[list[str], int]:
    import importlib
    import sys

    return list(sys.path), importlib.import_module(name).ANSWER
