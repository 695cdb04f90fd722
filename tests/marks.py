"""Marks that several test files share."""

import pytest

# Ray's processes on a small machine sometimes miss each other; the first failure is still reported.
SEVERAL_NODES = [pytest.mark.several_nodes, pytest.mark.flaky(reruns=1)]
# A Ray session in a separate process gives up after Ray's fixed 30 s on a busy machine.
STARTS_RAY = pytest.mark.flaky(reruns=1)
# On a busy machine a browser may not have drawn an element yet when a pointer touches it.
BROWSER = pytest.mark.flaky(reruns=1)
