from __future__ import annotations

import pytest
from torch.backends import cudnn

from benchmarks.training.reproducible import repeatable


@pytest.mark.parametrize("tf32", [True, False])
def test_only_the_choice_of_kernels_is_fixed(tf32: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cudnn, "allow_tf32", tf32)
    monkeypatch.setattr(cudnn, "benchmark", True)
    with repeatable():
        assert (cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32) == (True, False, tf32)
    assert (cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32) == (False, True, tf32)
