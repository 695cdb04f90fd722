"""What objects show: a few lines in a terminal, a table in a notebook, and no markup of a user's."""

from __future__ import annotations

from benchmarks import Prepared, run_trial
from benchmarks.cards import Card


def test_text_is_aligned_and_numbers_stand_to_the_right() -> None:
    card = Card("title", [["a", "1.5"], ["long name", "10"]], ("metric", "value"), numbers=True)
    assert card.text() == "title\n  metric     value\n  a            1.5\n  long name     10"


def test_a_long_title_is_wrapped_at_the_width_of_a_terminal() -> None:
    lines = Card("word " * 40, []).text().splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80


def test_what_a_file_named_is_text_in_html_and_harmless_in_a_terminal() -> None:
    card = Card("<b>plan</b>", [["<script>alert(1)</script>", "\x1b[31mred"]], ("a & b", "c"))
    page = card.html()
    assert "<b>" not in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "a &amp; b" in page
    assert "\x1b" not in page + card.text()


def test_a_scenario_and_a_trial_show_themselves_in_a_few_lines(digits: Prepared) -> None:
    scenario = repr(digits).splitlines()
    assert scenario[0].startswith("digits/cnn2/full_class/8/seed0 on cpu: forget 1")
    assert len(scenario) < 8
    assert [line.split()[0] for line in scenario[-3:]] == ["retain_acc", "forget_acc", "test_acc"]
    result = run_trial(digits, "finetune", {"epochs": 1})
    assert "complete" in str(result)
    assert f"{result.metrics['forget_acc']:.4g}" in repr(result)
    assert len(repr(result).splitlines()) < 20
    assert result._repr_html_().count("<tr>") == len(result.metrics) + 1
    failed = repr(run_trial(digits, "finetune", {"lr": 1e15}))
    assert "failed" in failed
    assert "not finite" in failed
