"""Turns off the parts of Ray Tune that no run needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from cluster.services import replaced


def trials_undescribed() -> AbstractContextManager[None]:
    """Ray Tune does not describe its trials in the snapshot at the end of a run.

    Nobody reads it, and it takes some ten milliseconds for each trial.
    """
    from ray.tune.execution.tune_controller import TuneController

    return replaced(TuneController, "_get_trial_checkpoints", lambda controller: {})


@contextmanager
def environment_inherited() -> Iterator[None]:
    """Ray Tune's actors have the environment of their session.

    Tune would set variables in it. Ray then asks its agent of runtime environments for each actor, and starts
    one more Python process, which becomes the actor's. Workers of a session of this machine inherit these
    variables from the driver.
    """
    from ray.tune.execution import class_cache

    with (
        replaced(class_cache, "DEFAULT_ENV_VARS", {}),
        replaced(class_cache, "ENV_VARS_TO_PROPAGATE", frozenset()),
    ):
        yield
