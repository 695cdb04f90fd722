"""Temporary folders of a process: private, deleted at its end, or by the next process after a kill."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.scratch import scratch, session_base, sweep, unusable

_KILLED = """
import os, signal, sys
from pathlib import Path
from cluster.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "socket").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_is_this_users_alone_and_goes_at_the_end(tmp_path: Path) -> None:
    with suppress(ValueError), scratch(tmp_path) as folder:
        (folder / "deep").mkdir()
        assert folder.stat().st_mode & 0o077 == 0
        sweep(tmp_path)
        assert (folder / "deep").exists()  # it is locked
        raise ValueError
    assert not list(tmp_path.iterdir())


def test_the_next_process_deletes_only_the_folders_of_killed_processes(tmp_path: Path) -> None:
    (tmp_path / "unl-users").mkdir()
    subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert len(list(tmp_path.glob("unl-*/socket"))) == 1
    with scratch(tmp_path) as folder:
        assert {path.name for path in tmp_path.iterdir()} == {"unl-users", folder.name}


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("/" + "a" * 70, "path of 71 letters"),
        ("/tmp/ü", "not ASCII"),
        ("/proc", "cannot be written to"),
        ("/no/such", "cannot be written to (No such file or directory)"),
    ],
)
def test_a_folder_that_ray_cannot_use_is_passed_over_or_named(
    monkeypatch: pytest.MonkeyPatch, folder: str, problem: str
) -> None:
    assert problem in unusable(Path(folder))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", folder)
    assert session_base() == Path("/tmp")
    monkeypatch.setenv("RAY_TMPDIR", folder)  # the user's choice
    with pytest.raises(ClusterError, match="set RAY_TMPDIR to a writable folder") as error:
        session_base()
    assert f"{folder} " in str(error.value)
    assert problem in str(error.value)
