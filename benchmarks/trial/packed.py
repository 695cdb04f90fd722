"""A prepared scenario as it travels between processes; read by drivers, which never import torch."""

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
    """A prepared scenario as plain arrays, all but the data set, to be shared between processes.

    Attributes:
        weights_id: Stands for the original model's weights themselves: two trainings of one model, on a CPU
            and on a GPU, have the same `original_id`.
        retrained_logits: What each retrained model predicts; empty where none was trained.
        retrained: The weights of these, if they were wanted; else empty.
        retrained_from: What it started from: `fresh` weights, `pretrained` ones, or `checkpoint`, which is
            for the user to know, because it is a model of theirs.
        preprocessing: How both models take pixels; None: as the data set says.
        steps: For a `sequence`, what is to be reached after each request.
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
