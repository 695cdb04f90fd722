"""MLflow: a run for each trial, at MLFLOW_TRACKING_URI.

The experiment is MLFLOW_EXPERIMENT_NAME, or has the name of the plan.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime
from typing import TYPE_CHECKING

from search.loggers.trials import Logged, Where

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_LONGEST = 5000  # characters of a tag


def logger(where: Where) -> MLflow:
    """Logs to an experiment, which is created if it is missing."""
    from mlflow.tracking import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.ERROR)  # else it prints a line for each of its tables
    client = MlflowClient()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or where.plan
    known = client.get_experiment_by_name(name)
    return MLflow(client, known.experiment_id if known else client.create_experiment(name))


class MLflow:
    """Uses a separate client, so that the MLflow logging of the user's process is not affected."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self._client = client
        self._experiment = experiment

    def log(self, trial: Logged) -> None:
        from mlflow.entities import Metric, Param

        began, ended = _ms(trial.began), _ms(trial.ended)
        tags = {name: text[:_LONGEST] for name, text in trial.tags.items()}
        run = self._client.create_run(self._experiment, start_time=began, run_name=trial.name, tags=tags)
        self._client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, value, ended or 0, trial.number) for name, value in trial.metrics.items()],
            params=[Param(name, str(value)) for name, value in trial.params.items()],
        )
        self._client.set_terminated(run.info.run_id, "FAILED" if trial.failed else "FINISHED", end_time=ended)

    def close(self) -> None:
        """Nothing to do: every call is complete."""


def _ms(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)
