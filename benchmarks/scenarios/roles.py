"""The roles of trained models in a scenario."""

from __future__ import annotations

from typing import Literal

from benchmarks.scenarios.scenario import Scenario

Role = Literal["original", "retrained", "recorded"]
Part = tuple[Role, int]  # the role, and the number of the retrained model, from 0


def role_name(role: Role, scenario: Scenario, reference: int = 0) -> str:
    """The role of a model in a scenario, as text.

    Args:
        reference: The number of the retrained model, from 0.
    """
    forget = f"{scenario.forget}, draw {scenario.draw}" if scenario.draw else scenario.forget
    names = {
        "original": "original",
        "retrained": f"retrained without {forget}" + (f", model {reference + 1}" if reference else ""),
        "recorded": f"recorded steps of {forget}",
    }
    return f"{names[role]}, seed {scenario.seed}" if scenario.seed else names[role]
