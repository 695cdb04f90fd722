"""The row of a point that was run with several seeds."""

from __future__ import annotations

from typing import Any

import pytest

from search.engine.repeats import averaged
from search.results.rows import spent


def row(seed: int, gap: float | None, **more: Any) -> dict[str, Any]:
    figures = {"gap": gap, "objective": gap, "target_mia": 8.0, "unlearn_s": 1.0 + seed, "reused_s": 0.5}
    fixed = {"eval_s": 0.25, "samples_forward": 10 * seed, "peak_memory_mb": 100.0 * seed, "eval_ended": ""}
    fixed["energy_j"] = 7.0 * seed
    return {"state": "complete", "seed": seed, "repeats": 3, "finished_at": seed, **figures, **fixed, **more}


def test_figures_are_means_and_peaks_the_highest() -> None:
    mean = averaged([row(1, 2.0), row(2, 4.0), row(3, 9.0)])
    assert (mean["gap"], mean["objective"], mean["target_mia"]) == (5.0, 5.0, 8.0)
    assert mean["objective_std"] == pytest.approx(13**0.5)
    assert (mean["unlearn_s"], mean["samples_forward"], mean["peak_memory_mb"]) == (3.0, 20, 300.0)
    assert (mean["seed"], mean["finished_at"]) == (1, 3)
    assert mean["energy_j"] == 14.0
    assert spent(mean) == pytest.approx(3 * (3.0 - 0.5 + 0.25))


def test_a_peak_that_some_seeds_lack_is_that_of_the_others() -> None:
    brief, long = row(1, 2.0, gpu_busy=None), row(2, 2.0, gpu_busy=40.0)
    assert averaged([brief, long])["gpu_busy"] == 40.0
    assert averaged([brief, brief])["gpu_busy"] is None


def test_a_seed_that_fails_or_lacks_a_figure_is_not_averaged_away() -> None:
    failed = row(2, None, state="failed", error="boom")
    assert averaged([row(1, 2.0), failed, row(3, 9.0)]) is failed
    mean = averaged([row(1, 2.0), row(2, None), row(3, 9.0)])
    assert mean["gap"] is None
    assert mean["objective"] is None
    assert "objective_std" not in mean


def test_an_evaluation_that_ended_early_marks_the_point() -> None:
    assert averaged([row(1, 2.0), row(2, 4.0, eval_ended="chance")])["eval_ended"] == "chance"
