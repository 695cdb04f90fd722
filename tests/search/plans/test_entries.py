"""Identical work is a single line of a benchmark, which names all of its sources."""

from __future__ import annotations

from benchmarks.methods import methods
from search.plans.entries import Entry, merged

JIT = methods.get("jit")


def test_equal_values_of_a_method_share_a_line_under_any_name() -> None:
    default = {"lr": JIT.Params().lr}
    lines = merged(
        [
            Entry(methods.get("original"), "", {}),
            Entry(JIT, "published", {}, "vgg"),
            Entry(JIT, "tuned", default, tuned_on=("3",)),
            Entry(JIT, "tuned", {"lr": 0.5}, tuned_on=("5",)),
            Entry(JIT, "tuned", default, tuned_on=("8",)),
            Entry(methods.get("ssd"), "published", {}),
        ]
    )
    assert [(line.method.name, line.regime, line.preset, line.tuned_on) for line in lines] == [
        ("original", "", "", ()),
        ("jit", "tuned", "vgg", ("3", "8")),
        ("jit", "tuned", "", ("5",)),
        ("ssd", "published", "", ()),
    ]
    assert [lines[1].regime_on(forget) for forget in ("3", "8", "5")] == ["tuned", "tuned", "transferred"]
    assert lines[3].regime_on("3") == "published"
    assert len({line.name for line in lines}) == 4
