"""Weights & Biases: a run for each trial, in WANDB_PROJECT or a project named after the plan."""

from __future__ import annotations

import os

from search.loggers.trials import Logged, Where


def logger(where: Where) -> WandB:
    """Logs to a project, with the trials of a run as a group.

    Raises:
        ValueError: without a login; wandb would ask for it on the terminal.
    """
    import wandb

    if os.environ.get("WANDB_MODE", "online") == "online" and not wandb.api.api_key:
        raise ValueError("nobody is logged in; run `wandb login`, or set WANDB_MODE=offline")
    return WandB(where)


class WandB:
    """Logs every trial as a complete run."""

    def __init__(self, where: Where) -> None:
        self._where = where

    def log(self, trial: Logged) -> None:
        import wandb

        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or self._where.plan,
            group=os.environ.get("WANDB_RUN_GROUP") or self._where.run_id,
            name=trial.name,
            config=dict(trial.params) | dict(trial.tags),
            reinit="create_new",  # does not affect the wandb run of the user's process
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )
        run.log(dict(trial.metrics), step=trial.number)
        run.finish(exit_code=1 if trial.failed else 0)

    def close(self) -> None:
        """Nothing to do: every run is finished already."""
