"""Rows of trials that nobody ran, in a module that processes of tests import fast."""

from __future__ import annotations

from typing import Any


def trial(number: int, method: str = "jit", run_id: str = "run", **more: Any) -> dict[str, Any]:
    return {
        "dataset": "digits",
        "model": "cnn2",
        "task": "full_class",
        "method": method,
        "run_id": run_id,
        "trial_id": f"{run_id}:{method}:{number}",
        "trial_number": number,
        "kind": "search",
        "seed": number,
        "scenario_seed": 0,
        "draw": 0,
        "forget": "8",
        "state": "complete",
        "gap": 1.0 + number,
        **more,
    }
