"""The network of a scenario, built for its images and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.models import models
from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.reproducible import seeded

if TYPE_CHECKING:
    from torch import nn


def build_network(scenario: Scenario, seed: int) -> nn.Module:
    """The scenario's network, freshly initialised from a seed."""
    source = scenario.source
    with seeded(seed):
        model = models.get(scenario.model)
        return model.build(len(scenario.classes), source.channels, model.input_size(source.image_size))
