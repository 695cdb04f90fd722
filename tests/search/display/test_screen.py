"""Work is always visible: plain lines if the output is kept, a moving display in a terminal."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console, Group

from search.display import screen as display
from search.display.board import Board
from search.display.screen import activity, redraws, terminal


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "LINE_EVERY_S", 0.1)


def kept() -> Console:
    return Console(file=io.StringIO(), width=80)


def printed(console: Console) -> list[str]:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


def test_what_takes_long_says_so_at_once_and_again(soon: None) -> None:
    console = kept()
    with activity(console, "Starting [red] Ray"):
        assert printed(console) == ["Starting [red] Ray ..."]
        time.sleep(0.4)
    lines = printed(console)
    assert 2 <= len(lines) - 1 <= 5
    assert lines[1] == "Starting [red] Ray ... 0 s"
    time.sleep(0.2)
    assert printed(console) == lines, "it continues after the work is done"


def test_quick_work_is_a_single_line() -> None:
    console = kept()
    with activity(console, "Reading digits"):
        pass
    assert printed(console) == ["Reading digits ..."]


def test_a_terminal_keeps_nothing_and_a_notebook_is_none() -> None:
    terminal = Console(file=io.StringIO(), width=80, force_terminal=True)
    assert redraws(terminal)
    with activity(terminal, "Starting Ray"):
        pass
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "Starting Ray ..." in shown
    assert shown.endswith("\x1b[2K"), "the line is erased at the end"
    assert not redraws(Console(file=io.StringIO(), force_jupyter=True))
    assert not redraws(kept())


def test_colours_asked_for_make_no_terminal_of_a_notebook_or_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert redraws(Console(file=io.StringIO())), "by rich's rules"
    assert not redraws(terminal())


def test_a_board_has_a_line_for_each_piece_of_work_that_goes_on() -> None:
    board = Board("preparing models", 4, kept())
    assert board.lines() == ["preparing models: 0 of 4 done, starting workers, 0 s"]
    board.hear("a", "original: epoch 1/20, 12 s left")
    board.hear("b", "retrained without 8: reading the data")
    board.hear("a", "original: epoch 2/20, 11 s left")
    assert board.lines() == [
        "preparing models: 0 of 4 done, 2 waiting, 0 s",
        "  original: epoch 2/20, 11 s left (0 s)",
        "  retrained without 8: reading the data (0 s)",
    ]
    board.done("a")
    assert board.lines()[0] == "preparing models: 1 of 4 done, 2 waiting, 0 s"
    assert len(board.lines()) == 2


def test_a_board_in_a_small_terminal_says_what_it_leaves_out_and_cuts_with_a_sign() -> None:
    console = Console(file=io.StringIO(), width=40, height=8, force_terminal=True)
    board = Board("preparing models", 9, console)
    for number in range(9):
        board.hear(str(number), f"retrained without {number}: epoch 1/20, validation 99.0 %, 12 s left")
    with console.capture() as captured:
        console.print(Group(board._draw()))  # a text without a group would lose its wrapping
    lines = captured.get().splitlines()
    assert len(lines) == 7
    assert lines[-1].strip() == "and 4 more"
    assert all(line.endswith("…") and len(line) <= 40 for line in lines[1:-1])
