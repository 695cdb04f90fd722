"""The trials of earlier searches that a new search starts from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks.methods import methods
from search.plans.files import parse
from search.plans.starts.earlier import Earlier, Trial, as_points
from search.studies.assignments import Assignment
from search.studies.spaces import search_space
from search.tools.export import export_optuna
from tests.search import made_searches

JIT = """
name: {}
dataset: digits
model: cnn2
task: full_class
methods: [jit]
search: {{forget: "8", trials: 6, presets: false{}}}
"""


def test_a_trial_whose_evaluation_ended_early_is_used_only_without_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_of = made_searches.row_of
    gaps: list[float] = []

    def ended(assignment: Assignment) -> dict[str, Any]:
        row = row_of(assignment)
        gaps.append(row["gap"])
        return row | {"eval_ended": "" if row["gap"] > min(gaps) else "right about 1.0 %"}

    monkeypatch.setattr(made_searches, "row_of", ended)
    rows = made_searches.write_search(tmp_path, parse(JIT.format("old", ""))[0])
    best = min(row["gap"] for row in rows if not row["eval_ended"] and row["state"] == "complete")
    assert best > min(gaps)
    address = f"sqlite:///{tmp_path / 'ours.db'}"
    export_optuna(tmp_path, address)
    for source in (f"results: {tmp_path}", f"optuna: '{address}'"):
        plan = parse(JIT.format("new", f", start_from: {{{source}, points: 1}}"))[0]
        (point,) = plan.starts("jit").points
        assert abs(math.log10(point.values["lr"]) + 3) == pytest.approx(best), source


def test_so_it_is_among_trials_of_the_same_rank() -> None:
    jit = methods.get("jit")
    rough = Trial({"lr": 1e-3, "sigma": 0.5}, (1.0,), "rough", ended=True)
    whole = Trial({"lr": 1e-2, "sigma": 0.5}, (9.0,), "whole")
    searches = [Earlier("one", "3", [rough]), Earlier("other", "8", [whole])]
    points = as_points(jit, search_space(jit.Params, None), searches, 2).points
    assert [point.origin for point in points] == ["whole", "rough"]
