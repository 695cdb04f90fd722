"""All checks run, and their problems are the lines of one error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.testing.checks import Check, CheckFailed, import_problem, require_all


def test_checks_without_a_problem_raise_nothing() -> None:
    require_all("metric 'mine'", [Check("unit", lambda: []), Check("value", lambda: [])])


def test_every_problem_of_every_check_is_a_line() -> None:
    def stops() -> Iterator[str]:
        yield "it is too slow"
        raise CheckFailed("the trial failed")

    def raises() -> Iterator[str]:
        yield from ()
        raise KeyError("logits")

    checks = [
        Check("unit", lambda: ["it is missing", "it is too long"]),
        Check("trial", stops),
        Check("value", raises),
        Check("import", lambda: []),
        Check("order", lambda: ["it matters"]),
    ]
    with pytest.raises(AssertionError) as raised:
        require_all("metric 'mine'", checks)
    assert str(raised.value).splitlines() == [
        "metric 'mine' breaks its contract:",
        "  unit: it is missing",
        "  unit: it is too long",
        "  trial: it is too slow",
        "  trial: the trial failed",
        "  value: it raises KeyError: 'logits'",
        "  order: it matters",
    ]
    assert isinstance(raised.value.__cause__, KeyError)


def test_a_module_that_cannot_be_imported_is_a_problem() -> None:
    assert "no_such_module cannot be imported by itself" in import_problem("no_such_module")
    assert import_problem("benchmarks.metrics") == ""
