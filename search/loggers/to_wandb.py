"""Weights & Biases: a run a trial, in WANDB_PROJECT or one named as the plan, as WANDB_MODE says."""

from __future__ import annotations

import os

from search.loggers.trials import Logged, Where


def logger(where: Where) -> WandB:
    """Logs to a project, the trials of a run as a group.

    Raises:
        ValueError: where nobody is logged in: wandb would ask on the terminal.
    """
    import wandb

    if os.environ.get("WANDB_MODE", "online") == "online" and not wandb.api.api_key:
        raise ValueError("nobody is logged in; run `wandb login`, or set WANDB_MODE=offline")
    return WandB(where)


class WandB:
    """Every trial as a run that was begun and finished."""

    def __init__(self, where: Where) -> None:
        self._where = where

    def log(self, trial: Logged) -> None:
        import wandb

        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or self._where.plan,
            group=os.environ.get("WANDB_RUN_GROUP") or self._where.run_id,
            name=trial.name,
            config=dict(trial.params) | dict(trial.tags),
            reinit="create_new",  # what the user's process logs with wandb is left alone
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )
        run.log(dict(trial.metrics), step=trial.number)
        run.finish(exit_code=1 if trial.failed else 0)

    def close(self) -> None:
        """Nothing: every run is finished."""
