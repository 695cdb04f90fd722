"""The progress of several workers while a user waits: one line for each current piece of work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from benchmarks.durations import duration
from search.display.screen import display

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_SPARE = 3  # lines of the terminal that are reserved: the title, the count of hidden lines, the cursor


class Board:
    """Lines about pieces of work, by key; each is shown until its work is done.

    Args:
        title: The kind of work, such as "preparing models".
        console: None to show nothing.
        total: The number of pieces.
    """

    def __init__(self, title: str, total: int, console: Console | None) -> None:
        from rich.console import Console

        self._title = title
        self._total = total
        self._done = 0
        self._console = console or Console(quiet=True)
        self._lines: dict[str, tuple[str, float]] = {}  # the latest line, and the time of the first
        self._began = time.monotonic()
        self._display = display(self._console, self._draw, self.lines)

    def __enter__(self) -> Board:
        self._display.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._display.__exit__(kind, error, trace)

    def hear(self, key: str, line: str) -> None:
        """Replace the line about a piece of work."""
        _, since = self._lines.get(key, ("", time.monotonic()))
        self._lines = {**self._lines, key: (line, since)}  # a new dict, because another thread reads it

    def done(self, key: str) -> None:
        """Record that a piece of work is done."""
        self._lines = {name: line for name, line in self._lines.items() if name != key}
        self._done += 1

    def lines(self, most: int | None = None) -> Sequence[str]:
        """The title, and a line for each current piece of work, at most `most`."""
        now, lines = time.monotonic(), self._lines
        shown = [f"  {line} ({duration(now - since)})" for line, since in lines.values()]
        waiting = self._total - self._done - len(shown)
        counts = f"{self._done} of {self._total} done"
        if shown and waiting > 0:
            counts += f", {waiting} waiting"
        if not shown:
            counts += ", starting workers"
        if most is not None and len(shown) > most:
            shown = [*shown[:most], f"  and {len(shown) - most} more"]
        return [f"{self._title}: {counts}, {duration(now - self._began)}", *shown]

    def _draw(self) -> RenderableType:
        from rich.text import Text

        lines = self.lines(max(1, self._console.height - _SPARE))
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
