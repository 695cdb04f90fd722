"""Marks that several test files share."""

import pytest

# Ray's processes on one small machine miss each other now and then; what failed first is still reported.
SEVERAL_NODES = pytest.mark.flaky(reruns=1)
