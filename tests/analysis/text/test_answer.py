"""An answer in a terminal: sources stated once, whole values or an ellipsis, few tables."""

from __future__ import annotations

from typing import Any

from analysis.answer import answer
from analysis.text.answer import answer_lines
from tests.analysis.conftest import frame, measured, trial


def rows(method: str, gaps: list[float], **more: Any) -> list[dict[str, Any]]:
    name = "/".join(map(str, (method, *more.values())))
    return [
        measured(method, seed, gap=gap, trial_id=f"{name}{seed}", **more) for seed, gap in enumerate(gaps, 1)
    ]


def text(table: list[dict[str, Any]], width: int | None = None) -> str:
    return "\n".join(answer_lines(answer(frame(table)), width))


def benchmark() -> list[dict[str, Any]]:
    return [
        *rows("original", [50.0, 50.1, 50.2]),
        *rows("retrain", [3.0, 3.2, 3.1]),
        *rows("jit", [1.0, 1.1, 1.2], param_lr=0.00123),
        *rows("ssd", [2.9, 3.3, 3.2]),
        *rows("scrub", [9.0, 9.1, 9.2], regime="published", preset="p"),
    ]


def test_a_row_per_method_says_whether_it_differs_from_retraining() -> None:
    lines = text(benchmark()).splitlines()
    assert lines[2].split() == ["method", "distance", "vs", "retrain", "seconds", "parameters"]
    by_method = {line.split()[0]: line for line in lines[3:8]}
    assert list(by_method) == ["jit", "retrain", "ssd", "scrub", "original"]
    assert "1.1 ± 0.1" in by_method["jit"]
    assert "lr=0.00123" in by_method["jit"]
    relations = {"jit": "nearer", "ssd": "same", "scrub": "further"}
    assert all(word in by_method[name] for name, word in relations.items())
    assert "scrub (published)" in by_method["scrub"]
    assert lines[8] == (
        "± is the standard deviation over 3 method seeds. Values are tuned unless noted otherwise. "
        "'same': indistinguishable from retraining with another seed (95 % interval)."
    )


def test_values_of_another_set_say_which() -> None:
    table = [
        *rows("jit", [1.0, 1.1], forget="8", tuned_on="8"),
        *rows("jit", [2.0, 2.1], forget="3", regime="transferred", tuned_on="8"),
    ]
    assert "jit (tuned on 8)" in text(table)


def test_a_single_repetition_and_a_search_without_a_benchmark_claim_nothing() -> None:
    assert "A single repetition cannot separate" in text([*rows("retrain", [1.0]), *rows("jit", [9.0])])
    searched = text([trial(n, gap=9.0 - n, param_lr=0.1 * (n + 1)) for n in range(3)])
    assert "run a benchmark to check it" in searched
    assert "lr=0.3" in searched
    assert answer_lines(answer(frame([]))) == []


def test_lines_fit_a_terminal_and_show_whole_values_or_an_ellipsis() -> None:
    long = rows("jit", [1.0, 1.1], param_lr=0.123, param_sigma=0.123, param_n=25)
    narrow, wide = text(long, 60), text(long)
    assert max(map(len, narrow.splitlines())) <= 60
    assert "lr=0.123, …" in narrow, "a value that does not fit is left out as a whole"
    assert "lr=0.123, sigma=0.123, n=25" in wide
    assert "…" not in wide


def test_a_table_for_each_scenario_as_far_as_they_are_few() -> None:
    shown = text([r for i in range(6) for r in rows("jit", [1.0, 1.1], model=f"net{i}", run_id=f"b{i}")], 80)
    assert shown.count("from the retrained model") == 4
    assert "2 more scenarios are in the report" in shown


def test_text_that_a_terminal_would_obey_is_shown_as_it_is() -> None:
    shown = text(rows("jit", [1.0, 1.1], forget="\x1b[31m8"))
    assert "\x1b" not in shown
    assert r"\x1b[31m8" in shown
