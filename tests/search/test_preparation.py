"""Workers' news reaches the driver, and what was there already is said to be from the cache."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.scenarios import Scenario
from benchmarks.training import Recipe
from cluster.connect import Slots
from search import display, preparation

# Which no other test trains by, and so long that a worker is heard of while it trains
RECIPE = Recipe(epochs=60, batch_size=96)


def test_models_say_how_far_they_are_and_whether_they_were_there(
    ray_session: Slots, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "LINE_EVERY_S", 0.2)
    models: list[preparation.Trained] = []
    console = Console(file=io.StringIO(), width=200)
    preparation.prepare([scenario], RECIPE, 100, ray_session, models.append, console=console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert any(line.startswith("preparing models: 0 of 2 done") for line in lines)
    assert any(line.startswith(("  original: ", "  retrained without 8: ")) for line in lines)
    assert [model.from_cache for model in models] == [False, False]
    assert "trained in" in str(models[0])
    again: list[preparation.Trained] = []
    preparation.prepare([scenario], RECIPE, 100, ray_session, again.append)
    assert [model.from_cache for model in again] == [True, True]
    assert str(again[0]).endswith(", from the cache")
