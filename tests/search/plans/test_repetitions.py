"""The repetitions of a benchmark: seeds, draws and originals, in an order that can be interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.engine.preparation import Needed
from search.errors import PlanError
from search.plans.files import load, parse
from search.plans.plan import Plan
from search.plans.repetitions import Repetition, repetitions

PLAN = """
name: drawn
dataset: digits
references: 1
model: cnn2
task: random
seed: 5
methods: [jit]
search: {forget: "40"}
benchmark: {forget: ["40", "20"], seeds: 2}
"""


def plan_of(changes: str, text: str = PLAN) -> Plan:
    return parse(text.replace("seeds: 2", changes))[0]


def ids(plan: Plan) -> list[tuple[int, int, str, str]]:
    """Seed of the original, draw, forget set and tag of every repetition."""
    return [(r.scenario.seed, r.scenario.draw, r.scenario.forget, r.tag) for r in repetitions(plan)]


def test_a_single_draw_and_original_give_the_benchmark_of_earlier_versions() -> None:
    plan = plan_of("seeds: 2")
    first, second = plan.scenario("40"), plan.scenario("20")
    assert list(repetitions(plan)) == [
        Repetition(first, 6, "1"),
        Repetition(second, 6, "1"),
        Repetition(first, 7, "2"),
        Repetition(second, 7, "2"),
    ]


def test_what_is_cut_short_has_every_draw_and_original_before_a_second_seed() -> None:
    ran = ids(plan_of("seeds: 2, draws: 2, originals: 2"))
    assert ran[:8] == [
        (5, 0, "40", "1"),
        (5, 0, "20", "1"),
        (6, 0, "40", "1.original1"),
        (6, 0, "20", "1.original1"),
        (5, 1, "40", "1.draw1"),
        (5, 1, "20", "1.draw1"),
        (6, 1, "40", "1.draw1.original1"),
        (6, 1, "20", "1.draw1.original1"),
    ]
    assert [(*others, tag.replace("2", "1", 1)) for *others, tag in ran[8:]] == ran[:8]


def test_no_two_repetitions_of_a_forget_set_share_a_seed_or_a_tag() -> None:
    every = list(repetitions(plan_of("seeds: 3, draws: 4, originals: 5")))
    assert len(every) == 2 * 3 * 4 * 5
    for forget in ("40", "20"):
        of_set = [r for r in every if r.scenario.forget == forget]
        assert len({r.seed for r in of_set}) == len({r.tag for r in of_set}) == 60


def test_more_draws_originals_and_seeds_do_not_change_the_existing() -> None:
    def known(plan: Plan) -> set[tuple[str, int, str]]:
        return {(r.scenario.key, r.seed, r.tag) for r in repetitions(plan)}

    few = known(plan_of("seeds: 2, draws: 2, originals: 2"))
    assert few < known(plan_of("seeds: 3, draws: 4, originals: 3"))


def test_the_search_stays_on_the_first_draw_and_original() -> None:
    plan = plan_of("seeds: 2, draws: 3, originals: 3")
    assert [s.key for s in plan.searched()] == ["digits/cnn2/random/40/seed5"]
    assert len({s.key for s in plan.scenarios()}) == 2 * 3 * 3


@pytest.mark.parametrize(
    ("changes", "task", "message"),
    [
        ("draws: 2", "full_class", ":10: task 'full_class' forgets '4', which is the same in every draw"),
        ("draws: 0", "random", "'benchmark.draws' is 0"),
        ("draws: 1001", "random", "'benchmark.draws' is 1001"),
        ("originals: 101", "random", "'benchmark.originals' is 101"),
        ("seeds: 10000, draws: 20", "random", "'originals' and 'seeds' make 2000000 trials; at most 500000"),
    ],
)
def test_impossible_repetitions_are_refused(changes: str, task: str, message: str) -> None:
    text = PLAN if task == "random" else PLAN.replace("random", task).replace('"40"', '"4"')
    with pytest.raises(PlanError, match=message):
        plan_of(changes, text.replace('"20"', '"2"'))


def test_seeds_of_originals_have_a_bound_too() -> None:
    with pytest.raises(PlanError, match="'seed' must be a whole number from 0 to 4294967295, not 4294967296"):
        plan_of("originals: 2", PLAN.replace("seed: 5", f"seed: {2**32 - 1}"))


def test_user_models_are_a_single_original_for_a_single_forget_set(tmp_path: Path) -> None:
    file = tmp_path / "own.safetensors"
    file.write_bytes(b"any")
    text = PLAN.replace('["40", "20"]', '["40"]') + f"checkpoint: {file}\n"
    assert plan_of("draws: 2", text)
    with pytest.raises(PlanError, match="'checkpoint' is one original model, and 'originals: 2'"):
        plan_of("originals: 2", text)
    with pytest.raises(PlanError, match="is for one forget set, and 'draws: 2' forgets as many"):
        plan_of("draws: 2", text + f"retrained: {file}\n")


def test_a_scaled_plan_has_fewer_of_them() -> None:
    small = parse(PLAN.replace("seeds: 2", "seeds: 1, draws: 10, originals: 3"), scale=0.3)[0].benchmark
    assert small is not None
    assert (small.seeds, small.draws, small.originals) == (1, 3, 2)


def test_models_differ_by_draw_and_seed() -> None:
    plan = plan_of("draws: 2")
    names = [
        Needed(role, plan.scenario("40", draw, original)).name
        for role, draw, original in (("original", 0, 0), ("retrained", 0, 0), ("retrained", 3, 1))
    ]
    assert names == [
        "original, seed 5",
        "retrained without 40, seed 5",
        "retrained without 40, draw 3, seed 6",
    ]


@pytest.mark.parametrize("name", ["jit-table4a", "jit-table4b", "ssd-table6"])
def test_plans_of_random_images_repeat_as_print_did(name: str) -> None:
    """Ten runs, each with a different sample (JiT, 5.1)."""
    for plan in load(name):
        assert plan.benchmark is not None
        assert (plan.benchmark.draws, plan.benchmark.seeds, plan.benchmark.originals) == (10, 1, 1)
        assert len(list(repetitions(plan))) == 10
