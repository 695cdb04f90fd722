"""Starts of a search: points first and once, a history to learn from, both named in the rows."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.methods import methods
from search.plans.files import parse
from search.plans.identity import search_identity
from search.studies.spaces import search_space
from search.studies.starts import NOTHING, Elsewhere, Point, Starts
from tests.search.conftest import PLAN
from tests.search.studies.test_study import JIT, play, row, study

SPACE = search_space(JIT.Params)
VALUES: list[dict[str, Any]] = [
    {name: SPACE.ranges[name].value(at) if name != "n_samples" else 40 for name in SPACE.varied}
    for at in (0.4, 0.6)
]
POINTS = Starts(tuple(Point(values, f"before:{i}") for i, values in enumerate(VALUES)))
EARLIER = play(study(trials=40, seed=5, presets=False), 40)
HISTORY = Starts(
    history=tuple(Elsewhere({k: r[f"param_{k}"] for k in SPACE.varied}, (r["gap"],)) for r in EARLIER)
)


def test_points_come_before_published_values_once_each_and_their_rows_say_where_they_come_from() -> None:
    rows = []
    s = study(starts=POINTS)
    while len(rows) < 6 and (a := s.ask()) is not None:
        rows.append({**row(a, 1.0), "started_from": a.started_from})
        s.tell(a, rows[-1])
    assert [r["started_from"] for r in rows[:2]] == ["before:0", "before:1"]
    assert [{k: r[f"param_{k}"] for k in SPACE.varied} for r in rows[:2]] == VALUES
    assert all(r["preset"] and not r["started_from"] for r in rows[2:])
    resumed = study(starts=POINTS, done=rows[:1]).ask()
    assert resumed is not None
    assert resumed.started_from == "before:1"


def test_a_history_teaches_the_sampler_and_is_no_row() -> None:
    s = study(starts=HISTORY, presets=False)
    assert (s.done, s.best) == (0, None)
    first = s.ask()
    assert first is not None
    assert first.number == 0
    assert first.started_from == f"40 trials as history {HISTORY.identity.split()[-1]}"
    informed, cold = (
        statistics.median(r["gap"] for r in play(study(starts=starts, presets=False), 10))
        for starts in (HISTORY, NOTHING)
    )
    assert informed < 0.7 * cold


def test_the_same_seed_and_history_give_the_same_trials() -> None:
    first, same = (play(study(starts=HISTORY), 12) for _ in range(2))
    assert first == same
    assert first != play(study(), 12)


def test_a_history_counts_on_the_forget_set_that_it_was_measured_on() -> None:
    starts = Starts(
        history=(
            Elsewhere(VALUES[0], (1.0,), "8"),
            Elsewhere(VALUES[1], (2.0,), "3"),
            Elsewhere(VALUES[1], (3.0,)),
        )
    )
    assert [t.objective for t in starts.on("8").history] == [(1.0,), (3.0,)]


def test_a_run_is_what_it_started_from_and_not_where_that_was_read() -> None:
    plan = parse(PLAN)[0]
    before = search_identity(plan)
    started = search_identity(plan.with_starts({"jit": POINTS}))
    assert started.run_id == before.run_id
    assert started.study_id("jit") != before.study_id("jit")
    assert started.study_id("finetune") == before.study_id("finetune")
    elsewhere = Starts(tuple(Point(point.values, "copied") for point in POINTS.points))
    assert search_identity(plan.with_starts({"jit": elsewhere})) == started
    assert search_identity(plan.with_starts({"jit": HISTORY})).study_id("jit") != started.study_id("jit")
    assert methods.get("jit").name in started.studies
