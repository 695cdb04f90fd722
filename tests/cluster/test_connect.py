"""What a plan may ask of this machine or of a cluster, and what is refused before Ray starts."""

from __future__ import annotations

import importlib.metadata
import socket
from typing import Any

import pytest

from cluster import connect
from cluster.capacity import Machines
from cluster.connect import _check_gpus, _why, session
from cluster.errors import ClusterError
from cluster.slots import Slots, slots


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect.os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


@pytest.mark.parametrize("gpus", [0, 0.25, 1, "auto", {"A100": 0.25, "cpu": 0}])
def test_what_can_be_placed_is_taken_as_it_is(machine: None, gpus: Any) -> None:
    assert slots(None, 1, gpus) == Slots(None, 1, gpus)
    assert slots(16, 1, gpus).workers == 16


def test_what_cannot_be_placed_is_refused(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match="use 1/k of a GPU"):
        slots(None, 1, 0.4)
    with pytest.raises(ClusterError, match="only 8"):
        slots(None, 9, 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ClusterError, match="no GPU is visible; use 0"):
        slots(None, 1, 1.0)
    assert slots(None, 1, "auto") == Slots(None, 1, "auto")
    with pytest.raises(ClusterError, match="use 1/k of a GPU"):
        slots(None, 1, {"A100": 0.7})


def test_a_cluster_may_have_what_this_machine_has_not(machine: None) -> None:
    assert slots(None, 64, 0.5, "auto") == Slots(None, 64, 0.5, address="auto")


def test_a_run_over_rays_client_is_refused_with_advice() -> None:
    with pytest.raises(ClusterError, match="unlearn submit PLAN"):
        slots(None, 1, 0, "ray://127.0.0.1:10001")


def test_an_address_without_an_answer_is_reported_within_seconds() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    wanted = Slots(1, 1, 0, address=f"ray://127.0.0.1:{port}")
    with pytest.raises(ClusterError, match="nothing answers"), session(wanted):
        pass
    with pytest.raises(ClusterError, match="valid are local, auto"), session(Slots(1, 1, 0, address="moon")):
        pass


def test_a_session_where_no_trial_could_ever_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA_VISIBLE_DEVICES names a GPU that does not exist: trials would wait for it forever."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    wanted = slots(1, 1, 1.0)
    monkeypatch.setattr(connect, "machines", lambda cpus: [Machines("cpu", 0, 2)])
    with pytest.raises(ClusterError, match=r"Ray sees none .*CUDA_VISIBLE_DEVICES is '0'.*use 0"):
        _check_gpus(wanted)
    monkeypatch.setattr(connect, "machines", lambda cpus: [Machines("A100", 2, 8)])
    _check_gpus(wanted)
    with pytest.raises(ClusterError, match="Ray sees 2 x A100"):
        _check_gpus(Slots(1, 1, {"H100": 0.5}))


def test_a_second_interrupt_at_the_end_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    ended: list[object] = []
    monkeypatch.setattr(connect, "_init", lambda *_, **__: None)
    monkeypatch.setattr(connect, "of_session", lambda folder: ["a raylet"])
    monkeypatch.setattr(connect, "end", ended.extend)
    monkeypatch.setattr(connect, "machines", lambda cpus: [Machines("cpu", 0, 2)])
    monkeypatch.setattr("ray.shutdown", interrupted)
    with pytest.raises(KeyboardInterrupt), session(Slots(1, 1, 0)):
        pass
    assert ended == ["a raylet"]


def test_versions_that_do_not_fit_are_all_reported() -> None:
    from ray._private.utils import check_version_info

    with pytest.raises(RuntimeError) as mismatch:
        check_version_info({"ray_version": "2.9.1", "python_version": "3.8.0"}, "10.0.0.7:6379")
    reason = _why("auto", mismatch.value)
    assert "Ray: 2.9.1 Python: 3.8.0 This process" in reason
    assert f"Ray: {importlib.metadata.version('ray')} " in reason
    assert reason.endswith("install the same versions of Ray and Python on both machines")
    assert "\n" not in reason
