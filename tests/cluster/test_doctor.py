"""The doctor finds what is installed, and every failing check says what to do."""

from __future__ import annotations

import importlib.metadata

import pytest

from cluster.doctor import checks


def test_this_machine_is_described() -> None:
    found = {check.name: check for check in checks()}
    assert found["ray"].found == importlib.metadata.version("ray")
    assert "GiB" in found["memory"].found
    assert found["CPU cores"].ok


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("cluster.doctor.importlib.metadata.version", missing)
    failed = [check for check in checks() if not check.ok]
    assert any("pip install ray" in check.advice for check in failed)
    assert all(check.advice for check in failed)
