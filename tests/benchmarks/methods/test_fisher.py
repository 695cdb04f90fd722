"""The Fisher diagonal in NumPy for a linear model, and the amounts of noise."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import run_trial
from benchmarks.access import TrialData
from benchmarks.errors import AccessDenied
from benchmarks.methods import methods
from benchmarks.methods.fisher import FisherParams, fisher_diagonal
from tests.benchmarks.helpers import data_for, rng, tiny_data, weights

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


FISHER = methods.get("fisher")
CLASSES = 3


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return draw.normal(size=(CLASSES, 4)), draw.normal(size=CLASSES), draw.normal(size=(7, 1, 2, 2))


def linear(w: np.ndarray, b: np.ndarray) -> nn.Module:
    layer = nn.Linear(4, CLASSES, dtype=torch.float64)
    layer.weight.data, layer.bias.data = torch.from_numpy(w.copy()), torch.from_numpy(b.copy())
    return nn.Sequential(nn.Flatten(), layer)


def diagonal(w: np.ndarray, b: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E_y[(d log p_y)^2] with d log p_y / dz = e_y - p, so that each logit has p_i (1 - p_i) in total."""
    flat = x.reshape(len(x), -1)
    z = flat @ w.T + b
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    spread = p * (1 - p)
    return spread.T @ flat**2 / len(x), spread.mean(0)


def test_the_diagonal_is_the_exact_expectation_over_labels_drawn_from_the_model(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    w, b, x = problem
    data = tiny_data(FISHER, torch.from_numpy(x), torch.zeros(7, dtype=torch.int64), [], num_classes=3)
    result = fisher_diagonal(linear(w, b), data.retain, data.count)
    expected = diagonal(w, b, x)
    assert np.allclose(result["1.weight"], expected[0], rtol=1e-6, atol=0)
    assert np.allclose(result["1.bias"], expected[1], rtol=1e-6, atol=0)


@pytest.mark.parametrize("forgotten", [(1,), (0, 2), ()])
def test_the_noise_of_the_last_layer(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    forgotten: tuple[int, ...],
) -> None:
    w, b, x = problem
    x = x * np.array([1.0, 0.05, 1.0, 0.0]).reshape(2, 2)  # little and no information about two columns
    y = torch.arange(7) % CLASSES
    forget = [i for i in range(7) if int(y[i]) in forgotten] or [
        2,
        5,
    ]  # images of any class if no class is forgotten
    retain = [i for i in range(7) if i not in forget]
    data = tiny_data(
        FISHER,
        torch.from_numpy(x),
        y,
        forget,
        num_classes=3,
        task="full_class" if forgotten else "random",
        forget_classes=forgotten,
    )
    noise = torch.Generator().manual_seed(9)
    drawn: list[np.ndarray] = []

    def randn(shape: torch.Size, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        drawn.append(torch.randn(list(shape), generator=noise).numpy().astype(np.float64))
        return torch.from_numpy(drawn[-1])

    model = linear(w, b)
    with monkeypatch.context() as patch:
        original = torch.randn
        patch.setattr(torch, "randn", lambda *a, **k: randn(*a, **k) if "device" in k else original(*a, **k))
        result = FISHER.unlearn(model, data, FisherParams(alpha=1e-3), rng())
    of_weight, of_bias = diagonal(w, b, x[retain])
    with np.errstate(divide="ignore"):
        v = 1e-3 * np.minimum(1 / of_weight, 100).mean(1, keepdims=True).repeat(4, axis=1)
        v_bias = 1e-3 * np.minimum(1 / of_bias, 100)
    mean, mean_bias = w.copy(), b.copy()
    for c in forgotten:
        mean[c], mean_bias[c], v[c], v_bias[c] = 0, 0, 1e-4, 1e-4
    louder = 10 if forgotten else 1  # the script for random images does not single out the last matrix
    assert np.allclose(result[1].weight.detach(), mean + np.sqrt(louder * v) * drawn[0], rtol=1e-6)
    assert np.allclose(result[1].bias.detach(), mean_bias + np.sqrt(10 * v_bias) * drawn[1], rtol=1e-6)


def deep() -> nn.Module:
    """A hidden layer with as many units as there are classes."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, CLASSES), nn.ReLU(), nn.Linear(CLASSES, CLASSES)).double()


def deep_data() -> TrialData:
    torch.manual_seed(1)
    x = torch.randn(9, 1, 2, 2, dtype=torch.float64)
    return tiny_data(FISHER, x, torch.arange(9) % CLASSES, [0, 3, 6], num_classes=CLASSES)


def test_a_hidden_layer_as_wide_as_the_classes_is_no_last_layer() -> None:
    by_type, by_shape = (
        FISHER.unlearn(deep(), deep_data(), FisherParams(alpha=1e-10, last_layer=how), rng())
        for how in ("by_type", "by_shape")
    )
    start = deep()
    assert torch.allclose(by_type[1].weight, start[1].weight, atol=1e-2)
    assert by_shape[1].weight[0].abs().max() < 0.2 < start[1].weight[0].abs().max()
    for model in (by_type, by_shape):
        assert model[3].weight[0].abs().max() < 0.2
        assert torch.allclose(model[3].weight[1:], start[3].weight[1:], atol=1e-2)


def test_less_information_means_more_noise_up_to_a_bound() -> None:
    data, start = deep_data(), deep()
    information = fisher_diagonal(start, data.retain, data.count)
    small, large = (
        weights(FISHER.unlearn(deep(), data, FisherParams(alpha=a), rng())) - weights(start)
        for a in (1e-8, 1e-4)
    )
    hidden = slice(0, 12)
    assert torch.allclose(large[hidden], small[hidden] * 100, rtol=1e-6)
    noise = torch.randn(3, 4, generator=rng()).double()
    expected = (1 / information["1.weight"]).clamp(max=1e3).mean(1, keepdim=True).sqrt() * 1e-2 * noise
    assert torch.allclose(large[hidden].view(3, 4), expected, rtol=1e-5)


def test_it_reads_no_forget_image(digits: Prepared) -> None:
    class NoForget(type(data_for(digits, FISHER))):
        @property
        def forget(self) -> NoReturn:
            raise AccessDenied("read")

    given = data_for(digits, FISHER)
    data = NoForget(**{f: getattr(given, f) for f in given.__dataclass_fields__})
    few = data.retain.subset(torch.arange(40))
    data = replace(data, _retain=few)
    FISHER.unlearn(copy.deepcopy(digits.original), data, FisherParams(), rng())


def test_it_forgets_digits_and_counts_its_passes(digits: Prepared) -> None:
    result = run_trial(digits, "fisher", {"alpha": 1e-7})
    assert result.metrics["gap"] < run_trial(digits, "original").metrics["gap"] / 2
    assert result.metrics["forget_acc"] < 20
    retain = len(digits.splits["retain_train"])
    assert result.cost.samples_forward == retain
    assert result.cost.samples_backward == 10 * retain
