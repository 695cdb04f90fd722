"""Every published table and figure is a shipped plan, or names the plan that contains it."""

from __future__ import annotations

import pytest

from analysis.published import published
from analysis.published.tables import printed_tables
from search.errors import PlanError
from search.plans.sources import shipped, source

# The numbers of each paper's tables and figures
PRINTED = {
    "jit": (range(1, 11), range(1, 9)),
    "ssd": (range(1, 10), range(1, 3)),
    "zero-shot": (range(1, 8), range(1, 10)),
    "akbari": (range(1, 5), range(1, 7)),
}
NAMES = [
    f"{paper}-{kind}{number}"
    for paper, ranges in PRINTED.items()
    for kind, numbers in zip(("table", "figure"), ranges, strict=True)
    for number in numbers
]


@pytest.mark.parametrize("name", sorted({*NAMES, *published()["id"]}))
def test_a_printed_table_runs_or_says_where_it_lies(name: str) -> None:
    if name in shipped():
        assert source(name) == shipped()[name]
        assert name not in printed_tables()
        return
    with pytest.raises(PlanError) as error:
        source(name)
    plans = printed_tables()[name].plans
    if plans:
        assert str(error.value).startswith(f"{name} is part of {plans[0]}")
        assert all(f"unlearn run {plan}" in str(error.value) for plan in plans)
    else:
        assert str(error.value).startswith(f"{name} does not show an experiment that can be run: ")
    assert "\n" not in str(error.value)


def test_every_part_is_of_a_shipped_plan() -> None:
    named = {plan for table in printed_tables().values() for plan in table.plans}
    assert named <= shipped().keys()
    assert set(printed_tables()) <= {*NAMES, *published()["id"]}


def test_a_command_that_follows_names_a_plan_that_has_what_it_varies() -> None:
    from search.plans.files import load

    follows = {table.then for table in printed_tables().values() if table.then}
    assert follows == {
        "unlearn sensitivity jit-table8 --method jit",
        "unlearn sensitivity zero-shot-table1 --method gkt --parameter threshold",
    }
    assert all("jit" in plan.methods for plan in load("jit-table8"))
    assert all("gkt" in plan.methods for plan in load("zero-shot-table1"))


def test_roman_numbers_and_near_names() -> None:
    assert source("zero-shot-tableVI") == shipped()["zero-shot-table6"]
    with pytest.raises(PlanError, match="zero-shot-table7 is part of zero-shot-table1"):
        source("zero-shot-tableVII")
    with pytest.raises(PlanError, match="no such file, and did you mean 'jit-table1'"):
        source("jit-tabel1")
    with pytest.raises(PlanError, match="there is no plan 'Zero-Shot-tableXI'"):
        source("Zero-Shot-tableXI")


def test_a_paper_has_a_single_spelling() -> None:
    from analysis.published import PAPERS as PRINTED_PAPERS
    from benchmarks.presets import PAPERS

    assert set(PRINTED) == set(PRINTED_PAPERS) == set(published()["paper"])
    assert PRINTED_PAPERS.keys() <= PAPERS.keys()
    assert {name.rpartition("-")[0] for name in shipped()} - {""} == set(PRINTED_PAPERS)
