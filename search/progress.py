"""What a person sees while a run goes on: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from search.assignments import Source

if TYPE_CHECKING:
    from rich.table import Table

_LINE_EVERY_S = 10.0


class Progress:
    """Trials done, the best so far and the time left of every source.

    Args:
        title: What runs, for the first line.
    """

    def __init__(self, title: str, sources: Sequence[Source], console: Console) -> None:
        self._title = title
        self._sources = sources
        self._console = console
        self._live: Any = None
        self._began = self._last_line = time.monotonic()
        self._failed = self._pruned = 0
        self._running: dict[str, float] = {}
        self._first: tuple[float, int] | None = None  # when the first trial ended, and how many were done

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(
                get_renderable=self._table, console=self._console, refresh_per_second=4, transient=True
            )
            self._live.__enter__()
        else:
            self._console.print(f"{self._title}: {self._summary()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
        seconds = time.monotonic() - self._began
        self._console.print(f"{self._title}: {self._summary()} in {seconds:.0f} s")

    def say(self, line: str) -> None:
        """Something happened that is worth a line; it stays above the live table."""
        self._console.print(line, markup=False, emoji=False)

    def watch(self, trial: str, share: float | None) -> None:
        """A running trial says what share of it is done; None at its end."""
        if share is None:
            self._running.pop(trial, None)
            return
        self._running[trial] = share
        self._line()

    def update(self, _source: Source, row: dict[str, Any]) -> None:
        """A trial has finished."""
        self._failed += row["state"] == "failed"
        self._pruned += row["state"] == "pruned"
        now = time.monotonic()
        if self._first is None:
            self._first = (now, sum(source.done for source in self._sources))
        self._line()

    def _line(self) -> None:
        now = time.monotonic()
        if self._live is None and now - self._last_line > _LINE_EVERY_S:
            self._last_line = now
            self._console.print(f"{self._title}: {self._summary()}, {self._left()}{self._shares()}")

    def _shares(self) -> str:
        """How far the long ones among the running trials are."""
        shares = ", ".join(f"{share:.0%}" for share in sorted(self._running.values(), reverse=True))
        return f", running: {shares}" if shares else ""

    def _summary(self) -> str:
        done, total = (sum(getattr(s, what) for s in self._sources) for what in ("done", "total"))
        text = f"{done}/{total} trials"
        ended = [f"{n} {what}" for n, what in ((self._failed, "failed"), (self._pruned, "pruned")) if n]
        if ended:
            text += f" ({', '.join(ended)})"
        bests = [source.best["gap"] for source in self._sources if source.best]
        return f"{text}, best gap {min(bests):.2f}" if bests else text

    def _left(self) -> str:
        """From the first finished trial on: what comes before it is the start of the workers."""
        done, total = (sum(getattr(s, what) for s in self._sources) for what in ("done", "total"))
        if self._first is None or done <= self._first[1]:
            return "time left unknown"
        seconds = (time.monotonic() - self._first[0]) / (done - self._first[1]) * (total - done)
        return f"{_duration(seconds)} left"

    def _table(self) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=None,
            pad_edge=False,
            title=f"{self._title}, {self._left()}{self._shares()}",
            title_justify="left",
        )
        for name in ("", "trials", "", "best gap", "parameters"):
            table.add_column(name, justify="left")
        for source in self._sources:
            best = source.best
            table.add_row(
                Text(source.name),
                f"{source.done}/{source.total}",
                ProgressBar(total=max(source.total, 1), completed=source.done, width=24),
                f"{best['gap']:.2f}" if best else "",
                Text(_parameters(best) if best else ""),
            )
        return table


def _parameters(row: dict[str, Any]) -> str:
    numbers = {
        name.removeprefix("param_"): value
        for name, value in row.items()
        if name.startswith("param_") and isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    return " ".join(f"{name}={value:.3g}" for name, value in numbers.items())


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
