"""Ten studies at 80x24: a line each, running studies first, and cut lines end in an ellipsis."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.text import Text

from search.display.panel import StudyLine, panel, parameters, short_names

LONG = "lr=0.00123 sigma=0.5 momentum=0.9 weight_decay=0.0005 temperature=4.2"


def line(number: int, **values: object) -> StudyLine:
    kind: dict = {"done": number, "total": 25, "gap": 1.5 + number, "parameters": LONG, "busy": False}
    return StudyLine(f"random_labels{number} · cifar100 full_class rocket", **{**kind, **values})


def test_ten_studies_fit_and_what_is_cut_says_so() -> None:
    lines = panel(
        ["search: 45/250 trials, 3 min left", "running: a, b"], [line(n) for n in range(10)], 80, 23
    )
    assert len(lines) == 2 + 1 + 10
    assert all(cell_len(text) <= 80 for text in lines)
    assert lines[2].split() == ["study", "trials", "gap", "parameters", "of", "the", "best"]
    for number, text in enumerate(lines[3:]):
        assert f"random_labels{number} · rocket" in text
        assert f" {number}/25 " in text
        assert f"{1.5 + number:.2f}".ljust(7) + "lr=0.00123" in text
        assert text.endswith("…")


def test_rich_draws_it_at_80_by_24_as_it_is() -> None:
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, soft_wrap=True)
    lines = panel(["search: 45/250 trials"], [line(n) for n in range(10)], console.width, console.height - 1)
    with Live(Text("\n".join(lines), no_wrap=True), console=console, refresh_per_second=1):
        pass
    written = console.file.getvalue()  # type: ignore[attr-defined]
    drawn = Text.from_ansi(written.rpartition("\x1b[2K")[2] or written).plain.splitlines()
    assert [text.rstrip() for text in drawn if text.strip()] == lines


def test_what_takes_long_comes_first_and_what_is_finished_last() -> None:
    studies = [line(25), line(1), line(2, busy=True), line(3)]
    lines = panel(["head"], studies, 80, 24)[2:]
    assert [text.split()[text.startswith(">")][len("random_labels") :] for text in lines] == [
        "2",
        "1",
        "3",
        "25",
    ]
    assert lines[0].startswith("> random_labels2")


def test_studies_that_do_not_fit_are_summed_up() -> None:
    lines = panel(["head"], [line(n) for n in range(30)], 80, 12)
    assert len(lines) == 12
    assert lines[-1] == "  and 21 more: 399/525 trials, best gap 10.50"
    assert len(panel(["head"], [line(n) for n in range(3)], 80, 2)) == 4, "a line and the sum at least"


def test_names_lose_what_all_have_and_keep_their_ends() -> None:
    same = ["jit · digits full_class 8", "ssd · digits full_class 3", "ssd · digits full_class 8"]
    assert short_names(same) == ["jit · 8", "ssd · 3", "ssd · 8"]
    assert short_names(["jit · digits random 8", "jit · digits full_class 8"]) == [
        "jit · random 8",
        "jit · full_class 8",
    ]
    assert short_names(["benchmark"]) == ["benchmark"]
    long = StudyLine(
        "activation_pruning · celeba identities draw_of_100_people_2", 0, 5, None, "", busy=False
    )
    shown = panel(["head"], [long, line(1)], 80, 24)[2]
    assert "activation_prunin" in shown
    assert "people_2" in shown
    assert "…" in shown


def test_parameters() -> None:
    row = {"param_lr": 0.00123456, "param_n": 25, "param_mode": "eval", "param_momentum": 0.9}
    assert parameters(row, ["lr", "n"]) == "lr=0.00123 n=25"


@pytest.mark.parametrize("name", ["a\x1b[31mb", "漢字" * 30])
def test_names_that_a_terminal_would_obey_or_that_are_wide_stay_in_their_column(name: str) -> None:
    lines = panel(["head"], [StudyLine(name, 1, 2, 0.5, "lr=1", busy=False)], 60, 24)
    assert "\x1b" not in "".join(lines)
    assert all(cell_len(text) <= 60 for text in lines)
    assert "0.50" in lines[-1]
