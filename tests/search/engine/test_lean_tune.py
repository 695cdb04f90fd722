from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cluster.slots import Slots
from search.engine.lean_tune import environment_inherited, trials_undescribed


class Probe:
    """An actor as Tune starts it."""

    def surroundings(self) -> tuple[str, str, str]:
        """The variables that were set for it, its folder, and whether Tune would change that."""
        import ray

        given = ray.get_runtime_context().get_runtime_env_string()
        return given, str(Path.cwd()), os.environ["RAY_CHDIR_TO_TRIAL_DIR"]


def test_actors_of_tune_have_the_environment_of_their_session(ray_session: Slots) -> None:
    import ray
    from ray.tune.execution.class_cache import _ActorClassCache

    with environment_inherited():
        actor = _ActorClassCache().get(Probe).remote()
    assert ray.get(actor.surroundings.remote()) == ("{}", str(Path.cwd()), "0")


def test_the_snapshot_of_tune_describes_no_trial() -> None:
    from ray.tune.execution.tune_controller import TuneController

    controller: Any = SimpleNamespace(_trials_to_cache=set(), _trial_metadata={"1": "a trial"})
    assert TuneController._get_trial_checkpoints(controller) == {"1": "a trial"}
    with trials_undescribed():
        assert TuneController._get_trial_checkpoints(controller) == {}
