"""The largest valid numbers: larger values are mistakes and would fail after hours."""

from __future__ import annotations

LARGEST_SEED = 2**32 - 1  # as in NumPy and Optuna; the trials' seeds, computed from it, then fit into 64 bits
LARGEST_WHOLE = 10**9  # of a hyper-parameter that is a whole number
LARGEST_REAL = 1e15  # of any other hyper-parameter; the width of every range is then finite
