"""Writes docs/published-values.md from the shipped plans: `python -m tests.published_values`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.methods import Method
from search.plans import published
from search.plans.files import load
from search.plans.plan import Plan
from search.plans.sources import shipped

PAGE = Path(__file__).parents[1] / "docs" / "published-values.md"
_HEAD = """# Published values of the shipped plans

These are the values that each plan of a paper runs as `published`: that paper's own values for this
data set, network and task, from its text or from the code that it ran. Where neither has a value,
the plan does not run a published row. One test compares every row with values typed from the
papers, another compares this page with the plans (`python -m tests.published_values` rewrites it).

| plan | data set, network | method | preset | values | source |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The text of the page."""
    plans = [(name, plan) for name in shipped() for plan in load(name) if plan.paper]
    rows = [row for name, plan in plans for method in plan.algorithms() for row in _rows(name, plan, method)]
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rows(name: str, plan: Plan, method: Method) -> Iterator[tuple[str, ...]]:
    where = (f"`{name}`", f"{plan.dataset}, {plan.model}", f"`{method.name}`")
    entries = list(published.searched(method, plan))
    if not entries:
        yield (*where, "none", "no published value exists", "")
    for entry in entries:
        preset = method.preset(entry.preset)
        values = ", ".join(f"{key} {value}" for key, value in preset.values.items())
        yield (*where, f"`{preset.name}`", values, preset.source)


if __name__ == "__main__":
    PAGE.write_text(page())
