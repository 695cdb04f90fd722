"""The threads of workers, which may be copies of a process that has loaded its libraries."""

from __future__ import annotations

from tests.scripts import words_printed

COPY = """
import os
os.environ["OMP_NUM_THREADS"] = "2"
import numpy, torch
from threadpoolctl import threadpool_info
from search.engine.cores import use_cores

if not os.fork():
    use_cores(1)
    products = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    print(torch.get_num_threads(), *products, flush=True)
    os._exit(0)
os.wait()
"""


def test_a_copy_of_a_process_with_more_threads_computes_on_its_cores() -> None:
    threads = words_printed(COPY)
    assert len(threads) >= 2
    assert set(threads) == {"1"}
