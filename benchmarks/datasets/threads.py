"""Work on many files at once, with a progress bar in a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from benchmarks.errors import printable

T = TypeVar("T")
R = TypeVar("R")

_LINE_EVERY_S = 4.5
_AT_ONCE = 1024  # items whose results are in memory


def threads() -> ThreadPoolExecutor:
    """A thread per core: files are read, decoded and digested without the interpreter's lock."""
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)))


def in_threads(work: Callable[[T], R], items: Sequence[T], doing: str) -> Iterator[R]:
    """The result of every item, in order.

    `doing` is the label of a progress bar in a terminal; elsewhere it is printed every five seconds.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    console = Console(stderr=True)
    with threads() as pool, Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(doing), total=len(items))
        last, done = time.monotonic(), 0
        for start in range(0, len(items), _AT_ONCE):
            for result in pool.map(work, items[start : start + _AT_ONCE]):
                yield result
                bar.advance(task)
                done += 1
                if not console.is_terminal and time.monotonic() - last >= _LINE_EVERY_S:
                    last = time.monotonic()
                    print(f"{printable(doing)}: {done} of {len(items)}", file=sys.stderr)
