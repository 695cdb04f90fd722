"""The progress of trials: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING

from analysis.results.layout import Row
from benchmarks.durations import duration
from benchmarks.errors import printable
from search.display.panel import StudyLine, panel, parameters
from search.display.screen import display, print_plainly, redraws
from search.display.time_left import Left, Remaining, time_left
from search.results.rows import spent
from search.studies.assignments import Assignment, Source

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LONG_S = 5.0  # a study with a trial that has run for so long is listed first
_SURE = 10  # trials after which the time between trials is known, too
_SLOWEST = 3.0  # the most that the time between trials may multiply the estimate
_ENOUGH = 0.2  # the share of a trial after which its duration can be estimated


@dataclass(frozen=True)
class _RunningBatch:
    """Trials that a worker has, since when, whether the worker is ready, and the share that is done."""

    source: Source
    first: Assignment
    since: float
    ready: bool = False
    share: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.first.method} on {self.first.scenario.forget}"


class Progress:
    """Trials done, the best so far and the time left of every source.

    Args:
        title: The stage, for the first line.
        earlier: Rows of earlier trials, for the duration of each method's trials.
    """

    def __init__(
        self, title: str, sources: Sequence[Source], console: Console, earlier: Iterable[Row] = ()
    ) -> None:
        self._title = title
        self._sources = sources
        self._console = console
        self._open = ExitStack()
        self._began = time.monotonic()
        self._failed = self._pruned = 0
        self._running: dict[str, _RunningBatch] = {}
        self._at_once: deque[int] = deque(maxlen=50)
        self._seconds: dict[str, list[float]] = {}  # method -> of its finished trials
        self._first: float | None = None  # when the first trial ended
        self._finished: list[float] = []  # seconds of the trials that ended since
        for row in earlier:
            self._learn(row)

    def __enter__(self) -> Progress:
        if not redraws(self._console):
            print_plainly(self._console, f"{self._title}: {self._summary()}")
        self._open.enter_context(display(self._console, self._draw, lambda: [self.line()]))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
        seconds = duration(time.monotonic() - self._began)
        print_plainly(self._console, f"{self._title}: {self._summary()} in {seconds}{self._best()}")

    def say(self, line: str) -> None:
        """Print a line, which stays above the live table."""
        print_plainly(self._console, line)

    def assigned(self, name: str, source: Source, first: Assignment) -> None:
        """Record that a worker got trials."""
        self._running = {**self._running, name: _RunningBatch(source, first, time.monotonic())}
        self._at_once.append(len(self._running))

    def runs(self, name: str, share: float) -> None:
        """Record that a worker is ready, or that this share of its trial is done."""
        if name in self._running:
            batch = self._running[name]
            since = batch.since if batch.ready else time.monotonic()
            batch = replace(batch, ready=True, since=since, share=max(share, batch.share))
            self._running = {**self._running, name: batch}

    def ended(self, name: str) -> None:
        """Record that a worker's trials have ended."""
        self._running = {other: batch for other, batch in self._running.items() if other != name}

    def update(self, _source: Source, row: Row) -> None:
        """Record a finished trial."""
        self._failed += row["state"] == "failed"
        self._pruned += row["state"] == "pruned"
        seconds = self._learn(row)
        if self._first is None:
            self._first = time.monotonic()
        else:
            self._finished.append(seconds)

    def line(self) -> str:
        """The progress of the stage, in one line."""
        return f"{self._title}: {', '.join([self._summary(), *self._state()])}"

    def lines(self, width: int, height: int) -> list[str]:
        """The live table."""
        counts = self._summary(with_best=False)
        state, *running = self._state()
        busy = {id(b.source) for b in self._running.values() if time.monotonic() - b.since > _LONG_S}
        studies = [self._study(source, busy=id(source) in busy) for source in self._sources]
        return panel([f"{self._title}: {counts}, {state}", *running], studies, width, height)

    def left(self) -> Left:
        """Seconds until everything is done."""
        now, batches = time.monotonic(), list(self._running.values())
        studies = [
            [self._remaining(source, method, count) for method, count in source.left.items()]
            for source in self._sources
        ]
        workers = max(self._at_once, default=1)
        left = time_left(studies, workers)
        if self._first is None or len(self._finished) < _SURE:
            return left
        at_work = sum(self._finished) + sum(now - max(batch.since, self._first) for batch in batches)
        slower = (now - self._first) * workers / max(at_work, 1e-3)
        return replace(left, seconds=left.seconds * min(max(slower, 1.0), _SLOWEST))

    def _remaining(self, source: Source, method: str, count: int) -> Remaining:
        batches = [b for b in self._running.values() if b.source is source and b.first.method == method]
        now, taken = time.monotonic(), self._seconds.get(method)
        if taken:
            mean = sum(taken) / len(taken)
            spent = sum(b.share * mean if b.share else min(now - b.since, mean) for b in batches)
            return Remaining(count, mean, spent=spent)
        shares = [(now - b.since, b.share) for b in batches if b.share >= _ENOUGH]
        if not shares:  # a worker's first trial is slow, so its running time is not informative
            return Remaining(count, 0.0, known=False)
        return Remaining(count, max(s / share for s, share in shares), spent=sum(s for s, _ in shares))

    def _learn(self, row: Row) -> float:
        """The seconds of a trial; those of a failed one are not used for the other trials."""
        seconds = spent(row) + float(row.get("overhead_s") or 0.0)
        if row["state"] != "failed":
            self._seconds.setdefault(row["method"], []).append(seconds)
        return seconds

    def _summary(self, *, with_best: bool = True) -> str:
        done, total = (sum(getattr(s, count) for s in self._sources) for count in ("done", "total"))
        text = f"{done}/{total} trials"
        ended = [f"{n} {state}" for n, state in ((self._failed, "failed"), (self._pruned, "pruned")) if n]
        if ended:
            text += f" ({', '.join(ended)})"
        top = self._top()
        if top is None or not with_best:
            return text
        name, value = _figure(top[1])
        return f"{text}, best {name} {value:.2f} ({top[1]['method']} on {printable(top[1]['forget'])})"

    def _top(self) -> tuple[Source, Row] | None:
        """The source with the best trial, and that trial."""
        bests = [(source, source.best) for source in self._sources]
        return min(((s, row) for s, row in bests if row), key=lambda pair: _figure(pair[1])[1], default=None)

    def _best(self) -> str:
        """The parameters of the best trial."""
        top = self._top()
        if top is None or not top[0].searched:
            return ""
        return f": {parameters(top[1], top[0].searched)}"

    def _state(self) -> list[str]:
        """The time left, and the running trials."""
        batches = list(self._running.values())
        if self._first is None and not any(batch.ready for batch in batches):
            count = "a worker" if len(batches) == 1 else f"{len(batches) or ''} workers".strip()
            return [f"starting {count} for {duration(time.monotonic() - self._began)}"]
        left = self.left()
        text = f"{duration(left.seconds)} left"
        if left.least:
            text = f"at least {text}" if left.seconds else "time left unknown"
        shares = sorted((b for b in batches if b.share), key=lambda b: -b.share)
        others = Counter(batch.name for batch in batches if not batch.share)
        names = [f"{printable(b.name)} {100 * b.share:.0f} %" for b in shares]
        names += [printable(name) + (f" ({count})" if count > 1 else "") for name, count in others.items()]
        return [text, f"running: {', '.join(names)}"] if names else [text]

    def _study(self, source: Source, *, busy: bool) -> StudyLine:
        best = source.best
        return StudyLine(
            source.name,
            source.done,
            source.total,
            best["gap"] if best else None,
            parameters(best, source.searched) if best else "",
            busy,
        )

    def _draw(self) -> RenderableType:
        from rich.text import Text

        return Text("\n".join(self.lines(self._console.width, self._console.height - 1)), no_wrap=True)


def _figure(row: Row) -> tuple[str, float]:
    """The gap of a complete trial; its objective where there is no retrained model, and so no gap."""
    name = "gap" if row["gap"] is not None else "objective"
    return name, row[name]
