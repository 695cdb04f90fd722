"""The parts that trained models play in a scenario."""

from __future__ import annotations

from typing import Literal

from benchmarks.scenarios import Scenario

Role = Literal["original", "retrained", "recorded"]


def role_name(role: Role, scenario: Scenario) -> str:
    """The part that a model plays in a scenario, as people read it."""
    forget = f"{scenario.forget}, draw {scenario.draw}" if scenario.draw else scenario.forget
    names = {
        "original": "original",
        "retrained": f"retrained without {forget}",
        "recorded": f"recorded steps of {forget}",
    }
    return f"{names[role]}, seed {scenario.seed}" if scenario.seed else names[role]
