"""The display of work in progress: redrawn in a terminal, plain lines of text elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from benchmarks.durations import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LINE_EVERY_S = 4.5
SLOWER_AFTER_S = 90.0  # by then users know that the work continues
SLOW_EVERY_S = 10.0

Lines = Callable[[], Sequence[str]]


def terminal(*, quiet: bool = False, stderr: bool = False) -> Console:
    """The default console; names in its lines are text, not markup.

    Notebooks get text, too: rich would make every line a separate HTML element. Only a terminal is treated
    as a terminal, although FORCE_COLOR, which notebooks and many build servers set, asks rich to do so
    everywhere.
    """
    from rich.console import Console

    return Console(
        soft_wrap=True,
        highlight=False,
        markup=False,
        emoji=False,
        force_jupyter=False,
        force_terminal=None if (sys.stderr if stderr else sys.stdout).isatty() else False,
        quiet=quiet,
        stderr=stderr,
    )


def redraws(console: Console) -> bool:
    """Whether lines on the screen can be replaced; a notebook keeps every frame."""
    return console.is_terminal and not console.is_jupyter and not console.is_dumb_terminal


def display(
    console: Console, draw: Callable[[], RenderableType], lines: Lines
) -> AbstractContextManager[object]:
    """Shows the progress of work while the context is open.

    Args:
        draw: Returns the view for a terminal; called once a second. The view is removed at the end.
        lines: Returns the lines that are printed elsewhere, see `printed`.
    """
    if not redraws(console):
        return printed(console, lines)
    from rich.live import Live

    return Live(get_renderable=draw, console=console, refresh_per_second=1, transient=True)


@contextmanager
def printed(console: Console, lines: Lines) -> Iterator[None]:
    """Prints lines every five seconds, after a while every ten, while the context is open."""
    ended, began = threading.Event(), time.monotonic()

    def run() -> None:
        while not ended.wait(LINE_EVERY_S if time.monotonic() - began < SLOWER_AFTER_S else SLOW_EVERY_S):
            for line in lines():
                print_plainly(console, line)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def activity(console: Console, text: str) -> Iterator[None]:
    """Shows the current work at once, and its duration if it takes more than a moment."""
    from rich.text import Text

    now = _timed(text)
    if not redraws(console):
        print_plainly(console, f"{text} ...")
    with display(console, lambda: Text(now(), no_wrap=True, overflow="ellipsis"), lambda: [now()]):
        yield


@contextmanager
def patience(console: Console, text: str) -> Iterator[None]:
    """Shows the current work only if it takes more than a moment."""
    now = _timed(text)
    with printed(console, lambda: [now()]):
        yield


@contextmanager
def announced(console: Console, text: str) -> Iterator[None]:
    """Like `activity`, in lines that stay, for work that may show its own progress bar."""
    print_plainly(console, f"{text} ...")
    with patience(console, text):
        yield


class Latest:
    """Shows the latest line about the current work, and the duration of all work so far."""

    def __init__(self, console: Console, line: str) -> None:
        from rich.text import Text

        self._line = line
        self._began = time.monotonic()
        self._display = display(
            console, lambda: Text(self._now(), no_wrap=True, overflow="ellipsis"), lambda: [self._now()]
        )

    def __enter__(self) -> Latest:
        self._display.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._display.__exit__(kind, error, trace)

    def hear(self, line: str) -> None:
        """Replace the line about the current work."""
        self._line = line

    def _now(self) -> str:
        return f"{self._line} ({duration(time.monotonic() - self._began)})"


def print_plainly(console: Console, line: str) -> None:
    """Print a line without markup, because it contains names."""
    console.print(line, markup=False, emoji=False, highlight=False)


def _timed(text: str) -> Callable[[], str]:
    began = time.monotonic()
    return lambda: f"{text} ... {duration(time.monotonic() - began)}"
