"""Prepared scenarios for transfer between processes, readable by drivers, which never import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.recipes import Recipe
from benchmarks.weights.checkpoint import Preprocessing

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Packed:
    """A prepared scenario as plain arrays without the data set, to be shared between processes.

    Attributes:
        weights_id: An id of the original model's weights: trainings of a model on a CPU and on a GPU have the
            same `original_id`, but other weights.
        retrained_logits: The predictions of each retrained model; empty if there are none.
        retrained: Their weights, if they were requested; otherwise empty.
        retrained_from: Its initial weights: `fresh`, `pretrained`, or `checkpoint`, if it is a user-defined
            model.
        preprocessing: The preprocessing of both models; None: that of the data set.
        steps: For a `sequence`, the scenarios after each request.
    """

    scenario: Scenario
    recipe: Recipe
    eval_limit: int | None
    original_id: str
    weights_id: str
    original: dict[str, np.ndarray]
    original_logits: dict[str, np.ndarray]
    retrained_logits: tuple[dict[str, np.ndarray], ...]
    updates: dict[str, np.ndarray] | None
    retrained: tuple[dict[str, np.ndarray], ...] = ()
    retrained_from: str = "fresh"
    preprocessing: Preprocessing | None = None
    steps: tuple[Packed, ...] = ()
