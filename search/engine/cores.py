"""The cores on which a worker computes."""

from __future__ import annotations


def use_cores(count: int) -> None:
    """Let torch, and numpy's matrix products, use this many threads from now on.

    Ray sets OMP_NUM_THREADS before a worker loads anything, which is too late for a copy of a process: numpy
    would use all cores in every worker, and the last digits of a sum would depend on their number.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(count)
    threadpool_limits(count, user_api="blas")
