"""The values that trials share: how often they are computed, and that no row depends on sharing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from benchmarks import Prepared, run_trial
from benchmarks.methods import methods
from benchmarks.trial.run import TrialResult
from benchmarks.trial.shared_work import Key, Work, Works
from tests.benchmarks.helpers import weights
from tests.benchmarks.test_contracts import QUICK

# Method -> the values that its trials share, and two points of a search
SHARED: dict[str, tuple[set[str], dict[str, Any], dict[str, Any]]] = {
    "bad_teacher": ({"retain_order", "original_logits"}, {"lr": 1e-3}, {"lr": 1e-2, "temperature": 3.0}),
    "boundary_shrink": ({"signs"}, {"epsilon": 0.1}, {"epsilon": 1.0, "lr": 3e-3}),
    "fisher": ({"fisher_diagonal"}, {"alpha": 1e-7}, {"alpha": 1e-9}),
    "lfssd": ({"importance", "forget_importance"}, {"alpha": 1.0}, {"alpha": 0.3, "dampening": 0.5}),
    "salun": ({"ranking"}, {"mask_fraction": 0.2}, {"mask_fraction": 0.9, "lr": 0.05}),
    "scrub": ({"original_logits"}, {"alpha": 0.1}, {"alpha": 0.5, "temperature": 2.0, "lr": 5e-3}),
    "scrub_rewind": ({"original_logits"}, {"alpha": 0.1}, {"alpha": 0.5, "temperature": 2.0}),
    "soft_relabeling": ({"original_logits"}, {"temperature": 0.5}, {"temperature": 4.0, "repair_lr": 1e-4}),
    "ssd": ({"importance", "forget_importance"}, {"alpha": 5.0}, {"alpha": 1.0, "dampening": 0.3}),
}
RECORDED = ("amnesiac_delta",)  # needs a separate scenario, and does not use the original's logits


@dataclass
class Counted(Works):
    """Shared values that count how often each was computed."""

    computed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def get(self, key: Key, compute: Callable[[], Work], device: torch.device) -> tuple[Work, bool]:
        def counted() -> Work:
            self.computed.append(key.name)
            return compute()

        return super().get(key, counted, device)


def run(
    prepared: Prepared, name: str, values: dict[str, Any], work: Works | None = None, seed: int = 1
) -> TrialResult:
    result = run_trial(
        prepared, name, {**QUICK.get(name, {}), **values}, seed=seed, shared_seed=7, metrics=[], work=work
    )
    assert result.state == "complete", result.error
    return result


def ends_with(result: TrialResult) -> torch.Tensor:
    assert result.model is not None
    return weights(result.model)


@pytest.mark.parametrize("name", sorted(SHARED))
def test_other_points_compute_nothing_again_and_end_as_they_would_alone(name: str, digits: Prepared) -> None:
    expected, first, second = SHARED[name]
    work = Counted()
    cold = run(digits, name, first, work)
    assert set(work.computed) == expected
    count = len(work.computed)
    warm, again = run(digits, name, second, work, seed=2), run(digits, name, first, work)
    assert len(work.computed) == count
    for shared, values, seed in ((cold, first, 1), (again, first, 1), (warm, second, 2)):
        alone = run(digits, name, values, seed=seed)
        assert torch.equal(ends_with(shared), ends_with(alone))
        assert shared.cost.samples_forward == alone.cost.samples_forward
        assert shared.cost.samples_backward == alone.cost.samples_backward
    assert not torch.equal(ends_with(cold), ends_with(warm))
    assert cold.cost.reused_s == 0 < cold.cost.shared_s
    assert warm.cost.reused_s == warm.cost.shared_s == cold.cost.shared_s < warm.cost.unlearn_s


@pytest.mark.parametrize("name", sorted({m.name for m in methods if not m.reference} - {*SHARED, *RECORDED}))
def test_the_others_share_nothing(name: str, digits: Prepared) -> None:
    work = Counted()
    result = run(digits, name, {}, work)
    assert not work.computed
    assert result.cost.shared_s == 0


def test_trials_of_the_bad_teacher_share_whole_tenths_of_the_retain_images(digits: Prepared) -> None:
    work, forget, retain = Counted(), len(digits.splits["forget_train"]), len(digits.splits["retain_train"])
    tenth = -(-retain // 10)
    for share, known in ((0.25, 0.25), (0.4, 0.4), (0.1, 0.4), (0.99, 0.99)):
        result = run(digits, "bad_teacher", {"retain_share": share}, work)
        assert result.cost.samples_forward == 2 * (forget + int(share * retain))
        assert work.computed.count("original_logits") == int(known * retain) // tenth
    assert work.computed.count("retain_order") == 1
