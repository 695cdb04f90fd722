"""What a person sees while something goes on: redrawn in a terminal, plain lines of text elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from benchmarks.durations import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FIRST_LINE_S = 4.0
LINE_EVERY_S = 10.0

Lines = Callable[[], Sequence[str]]


def redraws(console: Console) -> bool:
    """Whether what is on the screen can be replaced; a notebook keeps every frame."""
    return console.is_terminal and not console.is_jupyter and not console.is_dumb_terminal


def display(
    console: Console, draw: Callable[[], RenderableType], lines: Lines
) -> AbstractContextManager[object]:
    """Shows how something goes on as long as the context is open.

    Args:
        draw: What a terminal shows, asked once a second; nothing of it stays.
        lines: What is printed elsewhere, after some seconds and then every ten.
    """
    if not redraws(console):
        return printed(console, lines)
    from rich.live import Live

    return Live(get_renderable=draw, console=console, refresh_per_second=1, transient=True)


@contextmanager
def printed(console: Console, lines: Lines) -> Iterator[None]:
    """Prints lines after some seconds and then every ten, as long as the context is open."""
    ended = threading.Event()

    def run() -> None:
        wait = FIRST_LINE_S
        while not ended.wait(wait):
            wait = LINE_EVERY_S
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
    """Says what is being done, at once, and for how long already where it takes more than a moment."""
    from rich.text import Text

    now = _timed(text)
    if not redraws(console):
        print_plainly(console, f"{text} ...")
    with display(console, lambda: Text(now(), no_wrap=True, overflow="ellipsis"), lambda: [now()]):
        yield


@contextmanager
def announced(console: Console, text: str) -> Iterator[None]:
    """As `activity`, in lines that stay, for what may show a progress bar of its own."""
    now = _timed(text)
    print_plainly(console, f"{text} ...")
    with printed(console, lambda: [now()]):
        yield


def print_plainly(console: Console, line: str) -> None:
    """A line in which nothing is markup: names stand in it."""
    console.print(line, markup=False, emoji=False, highlight=False)


def _timed(text: str) -> Callable[[], str]:
    began = time.monotonic()
    return lambda: f"{text} ... {duration(time.monotonic() - began)}"
