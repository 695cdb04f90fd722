"""Marks that several test files share."""

import pytest

# Ray's processes on one small machine miss each other now and then; what failed first is still reported.
SEVERAL_NODES = [pytest.mark.several_nodes, pytest.mark.flaky(reruns=1)]
# A session that a process of its own starts gives up after Ray's fixed 30 s where the machine is busy.
OWN_RAY = pytest.mark.flaky(reruns=1)
# A browser draws when it can: what a pointer touches may not be there yet where the machine is busy.
BROWSER = pytest.mark.flaky(reruns=1)
