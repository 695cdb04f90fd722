"""The distance to the retrained model against its formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.metrics import gap as module

if TYPE_CHECKING:
    from benchmarks.trial.prepared import Prepared


def test_mean_distance_over_the_three_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.evaluation import References

    mine = {"retain_acc": 80.0, "forget_acc": 10.0, "mia": 30.0}
    target = {"retain_acc": 90.0, "forget_acc": 0.0, "mia": 5.0}
    parts = [lambda figures, name=name: figures[name] for name in mine]
    monkeypatch.setattr(module, "PARTS", parts)
    references = References(original=None, first=target)
    assert module.gap(mine, references) == pytest.approx((10 + 10 + 25) / 3)
    assert module.gap(target, references) == 0


def test_its_parts_are_the_published_three() -> None:
    assert [f.__name__ for f in module.PARTS] == ["retain_acc", "forget_acc", "mia"]


def test_the_retrained_model_has_no_gap(digits: Prepared) -> None:
    for held_out in ("validation", "test"):
        assert digits.targets(held_out)["gap"] == 0
