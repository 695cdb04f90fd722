"""A second process that reads the table while a test writes it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def read_in_a_loop(read: Callable[[str], Any], place: str) -> Iterator[list[int]]:
    """Reads again and again while the body runs; afterwards the numbers of rows it saw, in order.

    Every read must succeed, and no row that was seen may be missing later.
    """
    context = multiprocessing.get_context("spawn")
    found, stop = context.Queue(), context.Event()
    reader = context.Process(target=_read, args=(read, place, found, stop))
    reader.start()
    try:
        counts = [found.get(timeout=60)]
        yield counts
    finally:
        stop.set()
        reader.join(60)
    while not found.empty():
        counts.append(found.get())
    assert all(isinstance(c, int) for c in counts), [c for c in counts if not isinstance(c, int)]
    assert counts == sorted(counts)


def _read(read: Callable[[str], Any], place: str, found: Any, stop: Any) -> None:
    while not stop.is_set():
        try:
            found.put(len(read(place)))
        except Exception as error:
            found.put(repr(error))
