"""Points in a plan are tried first, with all parameters, and only if its searches can try them."""

from __future__ import annotations

from typing import Any

import pytest

from search.errors import PlanError
from search.plans.files import parse
from search.plans.identity import search_identity
from search.plans.plan import Plan
from search.studies.spaces import search_space
from tests.search.studies.test_study import JIT, play, study

POINT = {"lr": 1e-3, "sigma": 0.2}


def plan(search: str, methods: str = "[jit]", scale: float | None = None) -> Plan:
    text = f"name: p\ndataset: digits\nmodel: cnn2\ntask: full_class\nmethods: {methods}\nsearch: {search}\n"
    return parse(text, "p.yaml", scale)[0]


def points(search: str, methods: str = "[jit]", method: str = "jit") -> list[dict[str, Any]]:
    return [dict(point.values) for point in plan(search, methods).starts(method).points]


@pytest.mark.parametrize(
    "start",
    [
        "{lr: 1e-3, sigma: 0.2}",
        "[{lr: .001, sigma: .2}]",
        "{jit: {lr: 1e-3, sigma: 2e-1}}",
        "[{jit: [{lr: 1e-3, sigma: 0.2}]}]",
        "[{sigma: 0.2, lr: 1e-3}, {lr: 0.001, sigma: 0.2}]",
    ],
)
def test_a_point_can_be_spelt_in_many_ways(start: str) -> None:
    assert points(f"{{forget: 8, start: {start}}}") == [POINT]


@pytest.mark.filterwarnings("error")
def test_the_plan_as_run_is_kept_with_its_points() -> None:
    kept = plan("{forget: 8, start: [{lr: 1e-3, sigma: 0.2}]}").model_dump(mode="json")
    assert kept["search"]["start"] == {"jit": [POINT]}


def test_each_method_has_separate_points() -> None:
    search = "{forget: 8, start: {jit: [{lr: 1e-3}, {lr: 1e-2}], ssd: {alpha: 5}}}"
    assert [p["lr"] for p in points(search, "[jit, ssd]")] == [1e-3, 1e-2]
    assert points(search, "[jit, ssd]", "ssd")[0]["alpha"] == 5
    assert not points(search, "[jit, ssd, scrub]", "scrub")


def test_what_a_point_leaves_out_has_its_default_or_is_drawn_where_that_is_not_searched() -> None:
    assert points("{forget: 8, start: {lr: 1}}") == [{"lr": 1, "sigma": 0.5}]
    assert points("{forget: 8, space: {jit: {sigma: [1, 2]}}, start: {lr: 1}}") == [{"lr": 1}]
    assert points("{forget: 8, space: {jit: {sigma: 2}}, start: {lr: 1, sigma: 2}}") == [{"lr": 1}]
    chosen = "{forget: 8, space: {jit: {lr: [1, 2, 3], norm: [l2, squared]}}, start: {lr: 2, norm: squared}}"
    assert points(chosen) == [{"lr": 2, "sigma": 0.5, "norm": "squared"}]


def test_work_in_a_point_is_scaled_with_the_plan() -> None:
    search = "{forget: 8, space: {finetune: {epochs: [10, 40]}}, start: {epochs: 20, lr: 1e-3}}"
    small = plan(search, "finetune", scale=0.1)
    assert [dict(p.values) for p in small.starts("finetune").points] == [{"lr": 1e-3, "epochs": 2}]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("5", r"'search.start' is 5: write points such as \[\{lr: 1e-3\}"),
        ("[{lr: 1, jit: {lr: 1}}]", "write points such as"),
        ("{jit: 3, ssd: {}}", "write points such as"),
        ("{lrr: 1}", "unknown hyper-parameter 'lrr' of jit; did you mean 'lr'"),
        ("{scrub: {lr: 1}}", "a point of 'scrub', which is not among the methods; valid: jit"),
        ("{lr: 99}", r"jit does not search 'lr' at 99.0; its range is 1e-06 to 5"),
        ("{n_samples: 10}", "'n_samples', which stays at 25; leave it out of the point"),
        ("{lr: fast}", "'lr' must be of type float"),
    ],
)
def test_points_that_cannot_be_tried_are_refused_with_their_line(start: str, message: str) -> None:
    with pytest.raises(PlanError, match=f"p.yaml:6: .*{message}") as caught:
        plan(f"{{forget: 8, start: {start}}}")
    assert "\n" not in str(caught.value)


def test_a_point_of_no_method_among_several_is_refused() -> None:
    with pytest.raises(
        PlanError, match=r"the plan has 2 methods; name the method of each point, such as \{jit: \[\.\.\.\]\}"
    ):
        plan("{forget: 8, start: [{lr: 1}]}", "[jit, ssd]")


def test_points_come_before_presets_and_say_so_in_their_rows() -> None:
    p = plan("{forget: 8, start: {lr: 1e-3, sigma: 0.2}}")
    s = study(starts=p.starts("jit"))
    first, second = s.ask(), s.ask()
    assert first is not None
    assert second is not None
    assert (first.params, first.started_from, first.preset) == (POINT, "plan", "")
    assert second.preset


def test_choices_are_searched_and_resumed() -> None:
    space = search_space(JIT.Params, {"lr": [1e-3, 1e-2, 1e-1], "norm": ["l2", "squared"]})
    rows = play(study(space=space, trials=20), 12)
    drawn = [row for row in rows if not row["preset"]]
    assert {row["param_lr"] for row in drawn} <= {1e-3, 1e-2, 1e-1}
    assert {row["param_norm"] for row in drawn} == {"l2", "squared"}
    assert study(space=space, trials=20, done=rows).done == 12


def test_points_and_choices_belong_to_their_methods_run_and_leave_the_others_alone() -> None:
    def ids(search: str) -> list[str]:
        identity = search_identity(plan(search, "[jit, ssd]"))
        return [identity.study_id("jit"), identity.study_id("ssd")]

    plain = ids("{forget: 8}")
    assert ids("{forget: 8, start: []}") == ids("{forget: 8, start: {}}") == plain
    for more in ("start: {jit: {lr: 1}}", "space: {jit: {lr: [1, 2, 3]}}"):
        jit, ssd = ids(f"{{forget: 8, {more}}}")
        assert jit != plain[0]
        assert ssd == plain[1]
    range_, choices = "space: {jit: {lr: [1, 2]}}", "space: {jit: {lr: {choices: [2, 1.0]}}}"
    assert ids(f"{{forget: 8, {range_}}}") != ids(f"{{forget: 8, {choices}}}")
    assert ids("{forget: 8, space: {jit: {lr: [3, 1, 2]}}}") == ids(
        "{forget: 8, space: {jit: {lr: [1, 2, 3]}}}"
    )
