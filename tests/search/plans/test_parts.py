"""A file with several plans: its parts, and its lists of data sets and networks."""

from __future__ import annotations

import pytest

from search.errors import PlanError
from search.plans import limits
from search.plans.files import load, parse

PLAN = """name: mine
dataset: digits
model: cnn2
methods: [jit]
search: {forget: "8", trials: 10}
parts:
  class:
    task: full_class
  images:
    task: random
    model: [cnn2, cnn2@16]
    search:
      forget: "20"
"""


def test_the_keys_of_a_part_replace_those_of_the_file() -> None:
    whole, small, large = parse(PLAN)
    assert [plan.name for plan in (whole, small, large)] == [
        "mine-class", "mine-images-cnn2", "mine-images-cnn2-16",
    ]  # fmt: skip
    assert (whole.task, whole.model, whole.search.trials) == ("full_class", "cnn2", 10)
    assert [plan.task for plan in (small, large)] == ["random", "random"]
    assert [plan.model for plan in (small, large)] == ["cnn2", "cnn2@16"]
    assert small.search.forget == ("20",)
    assert small.search.trials == 250  # a section is replaced as a whole


def test_the_scale_of_the_command_line_is_that_of_every_part() -> None:
    plans = parse(PLAN.replace(", cnn2@16", ""), scale=0.1)
    assert [(plan.task, plan.scale) for plan in plans] == [("full_class", 0.1), ("random", 0.1)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    task: random", "    task: ramdom", r"plan:10: unknown task 'ramdom'; did you mean 'random'"),
        ('      forget: "20"', "      forget: 1000000", r"plan:13: .*1000000"),
        ("    task: random", "    taks: random", r"plan:10: unknown key 'taks'; did you mean 'task'"),
        ('{forget: "8", trials: 10}', '{forget: "8", trials: 0}', r"plan:5: 'search.trials' is 0"),
        ("  class:\n    task: full_class", "  class:", r"plan:7: the part 'class' has no keys"),
        ("  class:\n", "  class:\n    name: other\n", r"plan:8: 'name' is the whole file's; write it above"),
        ("  class:\n", "  class:\n    checkpoint: m.pt\n", r"plan:8: 'checkpoint' is the whole file's"),
        ("  class:\n", "  class:\n    parts: {a: {seed: 1}}\n", r"plan:8: 'parts' is the whole file's"),
        ("parts:", "part:", r"plan:6: unknown key 'part'; did you mean 'parts'"),
        ("  class:\n", "  a class:\n", r"plan:1: 'name' may hold letters"),
        (
            PLAN[PLAN.index("parts") :],
            "parts: [class]\n",
            r"plan:6: 'parts' maps the name of each part to its keys",
        ),
        (PLAN[PLAN.index("parts") :], "parts: {}\n", r"plan:6: 'parts' maps the name of each part"),
    ],
)
def test_a_mistake_in_a_part_is_named_with_its_line(old: str, new: str, message: str) -> None:
    assert old in PLAN
    with pytest.raises(PlanError, match=message):
        parse(PLAN.replace(old, new))


def test_a_file_has_no_more_parts_than_plans() -> None:
    many = "".join(f"  p{i}: {{task: full_class}}\n" for i in range(limits.PLANS + 1))
    with pytest.raises(PlanError, match=f"more than {limits.PLANS} plans"):
        parse(PLAN[: PLAN.index("  class")] + many)


def test_ssds_first_table_has_all_of_its_experiments() -> None:
    """Four experiments of SSD and Fisher forgetting; with the retrained model 48 published figures."""
    from analysis.published import select

    plans = load("ssd-table1")
    ran = {
        (plan.dataset, plan.model, plan.task, scenario.forget, method)
        for plan in plans
        for scenario in plan.benchmarked()
        for method in (*plan.methods, "retrain")
    }
    printed = select("ssd-table1")
    assert len(printed) == 48
    keys = ["dataset", "model", "task", "forget", "method"]
    assert ran == set(printed[keys].itertuples(index=False, name=None))
