"""Loggers: every finished trial as a run of TensorBoard, MLflow or Weights & Biases.

A plan names them under `logging`. A logger gets rows that are already durable, in a separate thread: the
search neither waits for a slow tool nor fails with a broken one.
"""

from __future__ import annotations

import importlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

from benchmarks.errors import UnknownName
from search.errors import PlanError
from search.loggers.trials import Logged, Logger, Where, logged

_PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}  # logger -> what it needs
_PATIENCE_S = 30.0  # at the end, while no trial gets logged

Tell = Callable[[str], None]
Waiting = queue.SimpleQueue[Logged | None]  # None: there will be no more


def check(names: Sequence[str]) -> None:
    """Check that loggers of these names exist and that their packages are installed.

    Raises:
        UnknownName: with the valid names.
        PlanError: with the package to install.
    """
    for name in names:
        if name not in _PACKAGES:
            raise UnknownName("logger", name, _PACKAGES)
        if find_spec(_PACKAGES[name]) is None:
            raise PlanError(f"'{name}' needs {_PACKAGES[name]}: pip install 'unlearnbench[{name}]'")


@contextmanager
def logging(
    names: Sequence[str], where: Where, tell: Tell, patience_s: float = _PATIENCE_S
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that logs a row of the trials table while the body runs; waiting rows are logged at the end.

    Args:
        tell: Called with a line when a logger fails; that logger then logs nothing more.
    """
    with ExitStack() as stack:
        lines = [stack.enter_context(_line(name, where, tell, patience_s)) for name in dict.fromkeys(names)]

        def log(row: Mapping[str, Any]) -> None:
            for line in lines:
                line.put(logged(row))

        yield log


@contextmanager
def _line(
    name: str, where: Where, tell: Tell, patience_s: float
) -> Iterator[queue.SimpleQueue[Logged | None]]:
    """A queue of trials whose thread logs them."""
    waiting: Waiting = queue.SimpleQueue()
    worker = threading.Thread(target=_work, args=(name, where, waiting, tell), name=name, daemon=True)
    worker.start()
    try:
        yield waiting
    finally:
        waiting.put(None)
        left, since = waiting.qsize(), time.monotonic()
        while worker.is_alive():
            worker.join(0.1)
            if waiting.qsize() < left:
                left, since = waiting.qsize(), time.monotonic()
            elif time.monotonic() - since > patience_s:
                tell(f"{name} does not answer, and the last trials are not logged there; their rows are kept")
                break


def _work(name: str, where: Where, waiting: Waiting, tell: Tell) -> None:
    try:
        logger: Logger = importlib.import_module(f"search.loggers.to_{name}").logger(where)
        try:
            while (trial := waiting.get()) is not None:
                logger.log(trial)
        finally:
            logger.close()
    except Exception as error:  # an external tool may fail in any way
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        tell(f"{name} fails and logs no further trial: {reason}; rows are kept")
