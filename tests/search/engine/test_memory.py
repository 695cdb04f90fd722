from __future__ import annotations

import ctypes
import threading

import psutil
import pytest

from search.engine.memory import give_back_memory


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not the GNU C library")
def test_what_a_trial_freed_goes_back_to_the_system() -> None:
    kept: list[bytearray] = []

    def trial() -> None:
        blocks = [bytearray(100_000) for _ in range(2_000)]
        kept.extend(blocks[::500])  # so that none of the memory around them is at an end

    thread = threading.Thread(target=trial)
    thread.start()
    thread.join()
    before = psutil.Process().memory_info().rss
    give_back_memory()
    assert before - psutil.Process().memory_info().rss > 50e6
