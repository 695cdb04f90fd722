"""A session's token is only in the environment of its processes, and only while it lasts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cluster.isolation import absolute_pythonpath, importable, session_token


def test_a_token_is_for_a_single_session_and_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ray._raylet import AuthenticationMode, AuthenticationTokenLoader, get_authentication_mode

    def token() -> str:
        return AuthenticationTokenLoader.instance().get_raw_token(ignore_auth_mode=True)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)  # of a cluster that the user also uses
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with session_token():
        first = os.environ["RAY_AUTH_TOKEN"]
        assert get_authentication_mode() == AuthenticationMode.TOKEN
        assert first == token() != "f" * 64
    with session_token():
        assert os.environ["RAY_AUTH_TOKEN"] == token() != first
    assert os.environ["RAY_AUTH_TOKEN"] == token() == "f" * 64
    assert "RAY_AUTH_MODE" not in os.environ
    assert get_authentication_mode() == AuthenticationMode.DISABLED
    assert not list(tmp_path.iterdir())


def test_modules_of_the_users_come_after_all_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("UNLEARN_PATH_LAST", "/put/last")
    before = list(sys.path)
    for _ in range(2):
        importable([str(tmp_path)])
    assert sys.path == [*before, str(tmp_path), "/put/last"]


@pytest.mark.parametrize(("given", "seen"), [(":/a::/b", "/a:/b"), ("", None), (":", None), (None, None)])
def test_an_empty_entry_of_pythonpath_is_not_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, given: str | None, seen: str | None
) -> None:
    if given is None:
        monkeypatch.delenv("PYTHONPATH", raising=False)
    else:
        monkeypatch.setenv("PYTHONPATH", given)
    with absolute_pythonpath():
        assert os.environ.get("PYTHONPATH") == seen
    assert os.environ.get("PYTHONPATH") == given
