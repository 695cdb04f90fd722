"""A second process that reads the table while a test writes it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def read_in_a_loop(read: Callable[[str], Any], location: str) -> Iterator[list[int]]:
    """Read repeatedly while the body runs; yields the list of numbers of rows, in order.

    Every read must succeed, and rows may not disappear.
    """
    context = multiprocessing.get_context("spawn")
    counts_read, stop = context.Queue(), context.Event()
    reader = context.Process(target=_read, args=(read, location, counts_read, stop))
    reader.start()
    try:
        counts = [counts_read.get(timeout=60)]
        yield counts
    finally:
        stop.set()
        reader.join(60)
    while not counts_read.empty():
        counts.append(counts_read.get())
    assert all(isinstance(c, int) for c in counts), [c for c in counts if not isinstance(c, int)]
    assert counts == sorted(counts)


def _read(read: Callable[[str], Any], location: str, counts_read: Any, stop: Any) -> None:
    while not stop.is_set():
        try:
            counts_read.put(len(read(location)))
        except Exception as error:
            counts_read.put(repr(error))
