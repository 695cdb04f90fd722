from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from cluster import idle_agent
from cluster.connect import session
from cluster.services import _reserved, environment_inherited, nothing_recorded, replaced
from cluster.slots import Slots


def test_a_function_is_replaced_and_comes_back_even_after_an_error() -> None:
    owner = SimpleNamespace(answer=lambda: 1)

    def fail_inside() -> None:
        with replaced(owner, "answer", lambda: 2):
            assert owner.answer() == 2
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail_inside()
    assert owner.answer() == 1


def test_another_version_of_ray_may_lack_the_function() -> None:
    owner = SimpleNamespace()
    with replaced(owner, "answer", lambda: 2):
        assert not hasattr(owner, "answer")
    assert not hasattr(owner, "answer")


def test_only_a_process_that_expects_it_binds_a_reserved_port() -> None:
    with _reserved("127.0.0.1") as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.socket() as agent:
            agent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            agent.bind(("127.0.0.1", port))
            agent.listen()


def test_the_idle_agent_ends_with_the_process_that_started_it() -> None:
    start = f"import subprocess; print(subprocess.Popen([{sys.executable!r}, {idle_agent.__file__!r}]).pid)"
    parent = [sys.executable, "-c", f"{start}; input()"]
    with subprocess.Popen(parent, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        agent = psutil.Process(int(process.stdout.readline()))
        with pytest.raises(psutil.TimeoutExpired):
            agent.wait(1.5)
        process.communicate("\n")
    agent.wait(30)


class Probe:
    """An actor as Tune starts it."""

    def surroundings(self) -> tuple[str, str, str]:
        """The variables that were set for it, its folder, and whether Tune would change that."""
        import ray

        given = ray.get_runtime_context().get_runtime_env_string()
        return given, str(Path.cwd()), os.environ["RAY_CHDIR_TO_TRIAL_DIR"]


@pytest.mark.several_nodes  # or rather with a separate session
def test_actors_of_tune_have_the_environment_of_their_session() -> None:
    import ray
    from ray.tune.execution.class_cache import _ActorClassCache

    with session(Slots(workers=1, cpus=1, gpus=0)):
        with environment_inherited():
            actor = _ActorClassCache().get(Probe).remote()
        assert ray.get(actor.surroundings.remote()) == ("{}", str(Path.cwd()), "0")


def test_the_snapshot_of_tune_describes_no_trial() -> None:
    from ray.tune.execution.tune_controller import TuneController

    controller: Any = SimpleNamespace(_trials_to_cache=set(), _trial_metadata={"1": "a trial"})
    assert TuneController._get_trial_checkpoints(controller) == {"1": "a trial"}
    with nothing_recorded():
        assert TuneController._get_trial_checkpoints(controller) == {}
