"""The progress of a run: plain lines if the output is not a terminal, otherwise a live table."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from search.display import progress
from search.display.progress import Progress


@dataclass
class Fake:
    """A source with some trials done."""

    name: str = "jit · digits full_class 8"
    total: int = 10
    done: int = 0
    prunes: bool = False
    running: int = 0
    at_once: int = 8
    best: dict[str, Any] | None = None
    searched: Sequence[str] = ("lr",)
    methods: Mapping[str, int] = field(default_factory=lambda: {"jit": 10})

    @property
    def left(self) -> dict[str, int]:
        return {method: count - self.done for method, count in self.methods.items()}

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


def assignment(method: str = "jit", forget: str = "8") -> Any:
    return SimpleNamespace(method=method, scenario=SimpleNamespace(forget=forget))


def row(state: str = "complete", method: str = "jit", seconds: float = 6.0) -> dict[str, Any]:
    return {"state": state, "method": method, "unlearn_s": seconds, "eval_s": 0.0, "overhead_s": None}


def kept() -> Console:
    return Console(file=io.StringIO(), width=100)


def finish(
    shown: Progress, source: Fake, clock: list[float], seconds: float, state: str = "complete"
) -> None:
    """The next trial of a source runs, by the only worker, and ends."""
    (method,) = source.methods
    shown.assigned("batch", source, assignment(method))
    shown.runs("batch", 0.0)
    clock[0] += seconds
    shown.ended("batch")
    source.done += 1
    source.best = {
        "gap": 10.0 / source.done,
        "method": method,
        "forget": "8",
        "param_lr": 0.001,
        "param_n": 9,
    }
    shown.update(source, row(state, method, seconds))


def test_plain_lines_from_the_start_to_the_end(clock: list[float]) -> None:
    console, source = kept(), Fake()
    with Progress("search", [source], console) as shown:
        shown.assigned("a", source, assignment())
        shown.assigned("b", source, assignment())
        clock[0] += 30
        assert shown.line() == "search: 0/10 trials, starting 2 workers for 30 s"
        shown.ended("b")
        shown.ended("a")
        for number in range(5):
            finish(shown, source, clock, 6, "failed" if number == 1 else "complete")
        assert shown.line() == "search: 5/10 trials (1 failed), best gap 2.00 (jit on 8), 15 s left"
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "search: 0/10 trials"
    assert lines[-1] == "search: 5/10 trials (1 failed), best gap 2.00 (jit on 8) in 1 min 0 s: lr=0.001"
    assert "\x1b" not in "".join(lines)


def test_shares_stand_beside_the_names_of_what_they_belong_to(clock: list[float]) -> None:
    source = Fake()
    with Progress("search", [source], kept()) as shown:
        for name, method, share in (
            ("a", "jit", 0.4),
            ("b", "gkt", 0.75),
            ("c", "ssd", 0.0),
            ("d", "ssd", 0.0),
        ):
            shown.assigned(name, source, assignment(method))
            shown.runs(name, share)
        assert shown.line().endswith("running: gkt on 8 75 %, jit on 8 40 %, ssd on 8 (2)")
        shown.ended("b")
        source.done = 1
        shown.update(source, row("pruned"))
        assert "1/10 trials (1 pruned)" in shown.line()
        assert shown.line().endswith("running: jit on 8 40 %, ssd on 8 (2)")


def test_the_time_left_uses_the_speed_of_each_method(clock: list[float]) -> None:
    """Fast trials of 1 s are done, and 9 of 10 slow ones of 20 s are left: 180 s, not 9 times 3 s."""
    fast, slow = Fake(), Fake("gkt · digits full_class 8", methods={"gkt": 10})
    with Progress("search", [fast, slow], kept()) as shown:
        finish(shown, slow, clock, 20)
        for _ in range(10):
            finish(shown, fast, clock, 1)
        assert shown.left().seconds == pytest.approx(180)
        assert not shown.left().least


def test_a_method_without_a_finished_trial_makes_it_a_lower_bound(clock: list[float]) -> None:
    fast, slow = Fake(), Fake("gkt · digits full_class 8", methods={"gkt": 10})
    with Progress("search", [fast, slow], kept()) as shown:
        finish(shown, fast, clock, 1)
        shown.assigned("a", slow, assignment("gkt"))
        shown.runs("a", 0.0)
        assert "at least 9 s left" in shown.line()
        clock[0] += 30
        shown.runs("a", 0.5)
        assert "9 min 39 s left" in shown.line()  # by its share, a trial takes 60 s, of which 30 have passed
        assert "at least" not in shown.line()


def test_a_resumed_run_knows_the_speed_from_its_rows(clock: list[float]) -> None:
    source = Fake(done=8)
    with Progress("search", [source], kept(), [row(seconds=30.0), row("failed", seconds=1.0)]) as shown:
        shown.assigned("a", source, assignment())
        shown.runs("a", 0.0)
        assert shown.left().seconds == 60.0


def test_what_passes_between_trials_counts(clock: list[float]) -> None:
    source = Fake(total=100, methods={"jit": 100})
    with Progress("search", [source], kept()) as shown:
        for _ in range(20):
            finish(shown, source, clock, 1)
            clock[0] += 1
        assert shown.left().seconds == pytest.approx(160, rel=0.1)


def test_live_table(clock: list[float]) -> None:
    out = io.StringIO()
    source = Fake("jit · apple [red] [/x]")
    with Progress("search", [source], Console(file=out, width=80, height=24, force_terminal=True)) as shown:
        finish(shown, source, clock, 6)
        lines = shown.lines(80, 23)
    assert lines[0] == "search: 1/10 trials, 54 s left"
    assert lines[-1].split() == ["jit", "·", "[/x]", "1/10", "█░░░░░░░░░", "10.00", "lr=0.001"]
    assert "\x1b[2K" in out.getvalue(), "drawn in place"
