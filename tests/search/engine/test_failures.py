"""Failed trials: reported once, counted by cause; a stage without success is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from search.engine.failures import ALIKE, Failures, by_cause, only_failed, require_success
from search.errors import RunError


def row(error: str = "", method: str = "jit", state: str = "failed", kind: str = "search") -> dict[str, Any]:
    return {"state": state, "error": error, "method": method, "forget": "apple [red]", "kind": kind}


NEGATIVE = "ValueError: lr is -{0}.5e-3 at 0x7f12ab{0:04x} (sgd.py:61)"


def test_the_first_trial_of_each_cause_is_reported_at_once_and_all_are_counted() -> None:
    messages: list[str] = []
    failures = Failures("search", messages.append)
    failures.see(row(state="complete"))
    for number in range(3):
        failures.see(row(NEGATIVE.format(number)))
    failures.see(row("TypeError: no\nnumber", "ssd"))
    failures.see(row(NEGATIVE.format(9), "ssd"))
    assert messages == [
        f"failed: jit on apple [red]: {NEGATIVE.format(0)}",
        "failed: ssd on apple [red]: TypeError: no number",
    ]
    assert failures.summary() == [
        f"failed: 4 x {NEGATIVE.format(0)} (jit, ssd)",
        "failed: 1 x TypeError: no number (ssd)",
    ]


def test_a_stage_ends_after_its_first_ten_trials_failed_alike() -> None:
    failures = Failures("search", lambda line: None)
    for number in range(ALIKE - 1):
        failures.see(row(NEGATIVE.format(number)))
    with pytest.raises(
        RunError, match=r"search: stopped, because its first 10 trials failed with the same error: ValueError"
    ):
        failures.see(row(NEGATIVE.format(10)))


@pytest.mark.parametrize(
    "other", [row(state="complete"), row("pruned", state="pruned"), row("TypeError: no")]
)
def test_a_trial_that_ends_otherwise_lets_the_stage_continue(other: dict[str, Any]) -> None:
    failures = Failures("search", lambda line: None)
    failures.see(other)
    for number in range(3 * ALIKE):
        failures.see(row(NEGATIVE.format(number)))


def test_many_causes_stay_readable() -> None:
    messages: list[str] = []
    failures = Failures("search", messages.append)
    for letter in "abcdefghijklmno":
        failures.see(row(f"{letter}Error: " + "x" * 1000))
    assert len(messages) == 10
    assert max(map(len, messages)) < 350
    assert failures.summary()[-1] == "failed: 5 for 5 other causes"


def test_where_nothing_succeeded_the_stage_fails() -> None:
    references = [row(method="retrain", state="complete", kind="reference")]
    failed = [row("TypeError: no"), row("TypeError: no", "ssd")]
    with pytest.raises(
        RunError, match=r"benchmark: all 2 trials failed: 2 x TypeError: no \(jit, ssd\); .*--retry"
    ):
        require_success("benchmark", references + failed)
    require_success("benchmark", [*failed, row(state="complete")])
    require_success("benchmark", references)


def test_a_method_that_only_failed_is_named() -> None:
    rows = [row("TypeError: no"), row("TypeError: no"), row("", "ssd", "complete"), row("x", "ssd")]
    assert only_failed("benchmark", rows) == ["benchmark: every trial of jit failed: 2 x TypeError: no (jit)"]
    assert by_cause([]) == []
