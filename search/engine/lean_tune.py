"""Turns off the parts of Ray Tune that no run needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster.services import replaced


@contextmanager
def one_empty_snapshot() -> Iterator[None]:
    """Ray Tune makes a snapshot of a run only at its end, and it does not describe the trials.

    Nobody reads it: a run resumes from its table. Looking whether one is due, several times per trial, is a
    tenth of the driver's work in a search of short trials; describing a trial takes some ten milliseconds.
    """
    from ray.tune.execution.tune_controller import TuneController

    checkpoint: Any = getattr(TuneController, "checkpoint", None)

    def at_end(controller: Any, force: bool = False, wait: bool = False) -> None:
        if force:
            checkpoint(controller, force=True, wait=wait)

    with (
        replaced(TuneController, "checkpoint", at_end),
        replaced(TuneController, "_get_trial_checkpoints", lambda controller: {}),
    ):
        yield


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
