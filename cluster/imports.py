"""Imports of large libraries, in less time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports_kept() -> Iterator[None]:
    """Create objects that live as long as the process, such as modules, without looking for garbage.

    That takes a sixth of the time of importing torch. Later searches for garbage omit these objects too.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
