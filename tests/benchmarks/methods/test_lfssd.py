"""The label-free importance in NumPy for a linear model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.methods import methods
from benchmarks.methods.lfssd import LfssdParams
from benchmarks.trial.shared_work import generator
from tests.benchmarks.helpers import rng, tiny_data

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


LFSSD = methods.get("lfssd")


def importance(w: np.ndarray, x: np.ndarray, batch_size: int) -> np.ndarray:
    """|gradient| of the mean over a batch of |Wx|^2, which is 2 W x x^T, averaged over batches."""
    parts = []
    for start in range(0, len(x), batch_size):
        batch = x[start : start + batch_size]
        parts.append(np.abs(np.mean([2 * np.outer(w @ row, row) for row in batch], axis=0)))
    return np.mean(parts, axis=0)


def test_the_weights_are_those_of_the_rule_whatever_the_labels() -> None:
    draw = np.random.default_rng(0)
    w, x = draw.normal(size=(3, 4)), draw.normal(size=(8, 1, 2, 2))
    flat, forget = x.reshape(8, 4), [0, 1, 2]
    order = torch.randperm(8, generator=generator(0, "lfssd", "importance", (3,))).numpy()
    of_all, of_forget = importance(w, flat[order], 3), importance(w, flat[forget], 3)
    expected = np.where(of_forget > 1.2 * of_all, w * np.minimum(0.5 * of_all / of_forget, 1), w)
    assert not np.array_equal(expected, w)
    for labels in (torch.arange(8) % 3, torch.zeros(8, dtype=torch.int64)):
        layer = nn.Linear(4, 3, bias=False, dtype=torch.float64)
        layer.weight.data = torch.from_numpy(w.copy())
        data = tiny_data(LFSSD, torch.from_numpy(x), labels, forget, num_classes=3, task="random")
        params = LfssdParams(alpha=1.2, dampening=0.5, batch_size=3)
        result = LFSSD.unlearn(nn.Sequential(nn.Flatten(), layer), data, params, rng(5))
        assert np.allclose(result[1].weight.detach().numpy(), expected, rtol=1e-6, atol=0)


def test_it_forgets_digits_and_counts_its_passes(digits: Prepared) -> None:
    result = run_trial(digits, "lfssd", {"alpha": 0.5, "dampening": 1.5})
    assert result.metrics["gap"] < run_trial(digits, "original").metrics["gap"] / 2
    retain, forget = (len(digits.splits[f"{part}_train"]) for part in ("retain", "forget"))
    assert result.cost.samples_forward == result.cost.samples_backward == retain + 2 * forget
