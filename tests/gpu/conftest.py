"""Tests that need a GPU; they are skipped on other machines."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def gpu() -> None:
    """Skip the test if torch does not see a GPU."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch does not see a GPU")
