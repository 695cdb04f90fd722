"""The parts that trained models play in a scenario."""

from __future__ import annotations

from typing import Literal

from benchmarks.scenarios.scenario import Scenario

Role = Literal["original", "retrained", "recorded"]
Part = tuple[Role, int]  # and which of several retrained models it is, from 0


def role_name(role: Role, scenario: Scenario, reference: int = 0) -> str:
    """The part that a model plays in a scenario, as people read it.

    Args:
        reference: Which of several retrained models it is, from 0.
    """
    forget = f"{scenario.forget}, draw {scenario.draw}" if scenario.draw else scenario.forget
    names = {
        "original": "original",
        "retrained": f"retrained without {forget}" + (f", model {reference + 1}" if reference else ""),
        "recorded": f"recorded steps of {forget}",
    }
    return f"{names[role]}, seed {scenario.seed}" if scenario.seed else names[role]
