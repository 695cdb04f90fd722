"""The largest numbers that are taken from people: what lies beyond is a slip, and would fail hours later."""

from __future__ import annotations

LARGEST_SEED = 2**32 - 1  # as for NumPy and Optuna; the trials' seeds, made from it, then fit into 64 bits
LARGEST_WHOLE = 10**9  # of a hyper-parameter that is a whole number
LARGEST_REAL = 1e15  # of any other; the width of every range is then finite
