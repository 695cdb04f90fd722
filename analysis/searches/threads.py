"""Work on large parts of results in several threads, where numpy and pyarrow release the interpreter."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
_MOST = 8  # threads; the interpreter runs one at a time


def in_threads(work: Callable[[S], T], parts: Iterable[S]) -> Iterator[T]:
    """Like `map`, with a thread per core; few parts exist at a time, because they are large.

    Args:
        work: Called in several threads.
        parts: Made in the calling thread.
    """
    threads = min(_MOST, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[T]] = deque()
        for part in parts:
            begun.append(pool.submit(work, part))
            if len(begun) > threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
