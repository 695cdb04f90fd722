"""TensorBoard: event files, a folder for each trial, in TENSORBOARD_LOGDIR or else next to the tables."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

from search.loggers.trials import Logged, Where

_LONGEST = 200


def logger(where: Where) -> TensorBoard:
    """Writes to a folder named after the run."""
    return TensorBoard(folder(where.results) / where.run_id)


def folder(results: Path | str) -> Path:
    """The folder of the event files of some results: on this machine, also for results in a bucket."""
    named = os.environ.get("TENSORBOARD_LOGDIR")
    if named:
        return Path(named).expanduser()
    return Path("tensorboard") if "://" in str(results) else Path(results).expanduser() / "_tensorboard"


class TensorBoard:
    """Metrics as scalars at the trial's number; parameters for TensorBoard's page of hyper-parameters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def log(self, trial: Logged) -> None:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        params = {
            name: value if isinstance(value, (bool, int, float)) else str(value)
            for name, value in trial.params.items()
        }
        with SummaryWriter(str(self._folder / _file_name(trial.name))) as writer:
            for name, value in trial.metrics.items():
                writer.add_scalar(name, value, global_step=trial.number)
            for summary in hparams(hparam_dict=params, metric_dict=dict(trial.metrics)):
                writer.file_writer.add_summary(summary)
            for name, text in trial.tags.items():
                writer.add_text(name, text, global_step=trial.number)

    def close(self) -> None:
        """Nothing to do: the file of each trial is closed already."""


def _file_name(name: str) -> str:
    """A trial's name as the name of a folder, which has at most 255 characters; forget sets can be longer."""
    quoted = quote(name, safe=" +,")
    if len(quoted) <= _LONGEST:
        return quoted
    return f"{quoted[:_LONGEST]} {hashlib.sha256(name.encode()).hexdigest()[:8]}"
