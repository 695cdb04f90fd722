"""Workers' progress reaches the driver, and cached models are reported as such."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.recipes import Recipe
from benchmarks.trial.prepared import prepare
from cluster import tasks
from cluster.slots import Slots
from search.display import screen as display
from search.engine import preparation

# No other test uses this recipe, and it is so long that its progress is printed
RECIPE = Recipe(epochs=60, batch_size=96)


def test_models_report_their_progress_and_whether_they_were_cached(
    ray_session: Slots, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "LINE_EVERY_S", 0.05)
    monkeypatch.setattr(tasks, "_POLL_S", 0.05)
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


def test_cached_scenarios_of_an_original_share_its_weights() -> None:
    """A plan may have hundreds of forget sets, and an original takes 40 MB and more."""
    scenarios = [Scenario("digits", "cnn2", "full_class", forget) for forget in ("3", "8")]
    for scenario in scenarios:
        prepare(scenario, recipe=Recipe(epochs=1), eval_limit=100)
    threads = torch.get_num_threads()
    cached = preparation._all_cached(scenarios, Recipe(epochs=1), 100, "cpu", threads, False, False, 1)
    first, second = (cached[scenario.key].packed for scenario in scenarios)
    assert first.original is second.original
    assert first.retrained_logits is not second.retrained_logits
