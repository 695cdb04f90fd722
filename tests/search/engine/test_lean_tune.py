from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cluster.slots import Slots
from search.engine.lean_tune import environment_inherited, one_empty_snapshot


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


def test_tune_makes_one_snapshot_without_trials_at_the_end() -> None:
    from ray.tune.execution.tune_controller import TuneController

    made: list[bool] = []
    manager = SimpleNamespace(sync_up_experiment_state=lambda save_fn, force, wait: made.append(force))
    controller: Any = SimpleNamespace(
        _trials_to_cache=set(),
        _trial_metadata={"1": "a trial"},
        _checkpoint_manager=manager,
        save_to_dir=None,
    )
    assert TuneController._get_trial_checkpoints(controller) == {"1": "a trial"}
    TuneController.checkpoint(controller)
    assert made == [False]
    with one_empty_snapshot():
        assert TuneController._get_trial_checkpoints(controller) == {}
        TuneController.checkpoint(controller)
        assert made == [False]
        TuneController.checkpoint(controller, force=True, wait=True)
    assert made == [False, True]
