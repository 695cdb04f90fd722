"""Methods against each other: the trials that count, the best method, and the budgets."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.standings import best, budgets, standing
from tests.analysis.conftest import Row, frame, measured, trial

SETS = ("1", "2", "3", "8", "9", "10")


def runs(method: str, level: float, seeds: int = 4, sets: tuple[str, ...] = SETS, seed: int = 0) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        measured(
            method, s, forget=forget, tuned_on=forget, gap=level + 5 * i + float(rng.normal(0, 0.3)),
            trial_id=f"{method}:{forget}:{s}",
        )
        for i, forget in enumerate(sets)
        for s in range(1, seeds + 1)
    ]  # fmt: skip


def test_a_clear_winner_is_named_and_forget_sets_count_as_blocks() -> None:
    result = standing(
        frame([*runs("jit", 2.0, seed=1), *runs("ssd", 6.0, seed=2), *runs("scrub", 9.0, seed=3)])
    )
    assert result.ranking is not None
    assert result.ranking.ranks.to_dict() == {"jit": 1.0, "ssd": 2.0, "scrub": 3.0}
    assert result.figures.shape == (6, 3)
    assert best(result) == "jit"
    first = result.pairs.iloc[0]
    assert (first["method"], first["other"], first["nearer"]) == ("jit", "ssd", 1.0)
    assert first["low"] < first["difference"] < first["high"] < 0
    assert first["sets_low"] < first["difference"] < first["sets_high"] < 0
    assert first["p"] == pytest.approx(3 / 32), "the least that six blocks and three pairs allow"


def test_no_winner_where_the_interval_does_not_say_so() -> None:
    close = standing(frame([*runs("jit", 2.0, seed=1), *runs("ssd", 2.01, seed=2)]))
    assert best(close) is None
    single = standing(frame([*runs("jit", 2.0, 1), *runs("ssd", 9.0, 1)]))
    assert best(single) is None, "one run has no interval"
    assert single.pairs["low"].isna().all()


def test_few_forget_sets_say_nothing_of_others() -> None:
    result = standing(frame([*runs("jit", 2.0, sets=SETS[:4]), *runs("ssd", 6.0, sets=SETS[:4])]))
    assert result.pairs[["sets_low", "sets_high", "p"]].isna().all(axis=None)
    assert result.pairs["high"].iloc[0] < 0


def test_methods_on_fewer_forget_sets_are_left_out() -> None:
    rows = [*runs("jit", 2.0), *runs("ssd", 6.0), *runs("scrub", 1.0, sets=SETS[:2])]
    result = standing(frame(rows))
    assert result.left_out == ("scrub",)
    assert list(result.figures.columns) == ["jit", "ssd"]
    assert standing(frame(runs("jit", 2.0))).ranking is None
    assert standing(frame([trial(0)])).ranking is None


def test_tuned_parameters_count_before_others_whatever_they_came_to() -> None:
    presets = [
        {
            **row,
            "regime": "published",
            "preset": "p",
            "tuned_on": "",
            "gap": 0.0,
            "trial_id": f"p{row['trial_id']}",
        }
        for row in runs("jit", 2.0)
    ]
    result = standing(frame([*runs("jit", 2.0), *presets, *runs("ssd", 6.0)]))
    assert result.figures["jit"].mean() > 2


def test_budgets_are_per_search() -> None:
    rows = [trial(i, forget=f, trial_id=f"{f}{i}", param_lr=10.0**-i) for f in ("1", "2") for i in range(5)]
    rows += [trial(5, forget="1", trial_id="fails", state="failed", param_lr=3.0)]
    rows += [trial(i, method="ssd", trial_id=f"s{i}", param_lr=10.0**-i, forget="1") for i in range(3)]
    spent = budgets(frame(rows)).set_index("method")
    assert spent.loc["jit", ["trials", "least", "most", "searches"]].tolist() == [5.5, 5, 6, 2]
    assert spent.loc["ssd", "trials"] == 3
    assert spent.loc["ssd", "seconds"] == pytest.approx(3 * 0.6)
    assert budgets(frame(runs("jit", 2.0))).empty
