"""What a person sees: plain lines where the output is no terminal, a live table where it is one."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from search import progress
from search.progress import Progress


@dataclass
class Fake:
    """A source with some trials done."""

    name: str = "jit on 8"
    total: int = 10
    done: int = 0
    prunes: bool = False
    running: int = 0
    best: dict[str, Any] | None = None

    def ask(self) -> None: ...

    def hopeless(self, assignment: Any, quarter: int, gap: float) -> bool:
        return False

    def tell(self, assignment: Any, row: Any) -> None: ...

    def lost(self, assignment: Any) -> None: ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def play(source: Fake, console: Console, clock: list[float]) -> None:
    with Progress("search", [source], console) as shown:
        clock[0] += 30  # the workers start
        for _ in range(5):
            clock[0] += 6
            source.done += 1
            source.best = {"gap": 10.0 / source.done, "param_lr": 0.001, "param_norm": "l2"}
            shown.update(source, {"state": "failed" if source.done == 2 else "complete"})


def test_plain_lines(clock: list[float]) -> None:
    out = io.StringIO()
    play(Fake(), Console(file=out, width=100), clock)
    lines = out.getvalue().splitlines()
    assert lines[0] == "search: 0/10 trials"
    assert lines[-1] == "search: 5/10 trials (1 failed), best gap 2.00 in 60 s"
    assert "3/10 trials (1 failed), best gap 3.33, 42 s left" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_running_trials_say_how_far_they_are_and_pruned_ones_are_counted(clock: list[float]) -> None:
    out, source = io.StringIO(), Fake()
    with Progress("search", [source], Console(file=out, width=100)) as shown:
        shown.watch("a", 0.4)
        shown.watch("b", 0.75)
        clock[0] += 11
        shown.watch("a", 0.5)
        assert out.getvalue().splitlines()[-1] == "search: 0/10 trials, time left unknown, running: 75%, 50%"
        shown.watch("b", None)
        clock[0] += 11
        source.done = 1
        shown.update(source, {"state": "pruned"})
    assert "1/10 trials (1 pruned), time left unknown, running: 50%" in out.getvalue()


def test_live_table(clock: list[float]) -> None:
    out = io.StringIO()
    source = Fake("jit · apple [red] [/x]")
    console = Console(file=out, width=100, force_terminal=True)
    with Progress("search", [source], console) as shown:
        source.done, source.best = 4, {"gap": 3.21, "param_lr": 0.001, "param_norm": "l2"}
        with console.capture() as captured:
            console.print(shown._table())
    text = captured.get()
    assert "jit · apple [red] [/x]" in text, "a name is not markup"
    assert "4/10" in text
    assert "3.21" in text
    assert "lr=0.001" in text
