from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import ClusterError
from cluster.gpu import MOST_PER_GPU, Footprint, Shares, Work, fixed_share, share_of, spread

JIT = Work("jit", "vgg11", "cifar100")


@pytest.mark.parametrize(
    ("peak", "total", "busy", "per_gpu"),
    [
        (3_000, 16_000, 0.2, 4),  # 14,400 MiB hold four; five would keep it busy
        (1_000, 16_000, 0.5, 2),  # two keep it busy
        (1_000, 80_000, 0.01, MOST_PER_GPU),
        (9_000, 16_000, 0.1, 1),
        (20_000, 16_000, 0.1, 1),
        (1_000, 16_000, 1.0, 1),
        (3_000, 16_000, None, 4),  # it ran too briefly to measure its use
        (1_000, 80_000, None, MOST_PER_GPU),
    ],
)
def test_as_many_share_a_gpu_as_fit_and_keep_it_busy(
    peak: float, total: float, busy: float | None, per_gpu: int
) -> None:
    assert share_of(Footprint(peak, total, busy)).per_gpu == per_gpu


@pytest.mark.parametrize("gpus", [0.4, 0.3, 0.75, 2, -1])
def test_a_share_that_ray_may_hang_on_is_refused(gpus: float) -> None:
    with pytest.raises(ClusterError, match="use 1/k"):
        fixed_share(gpus)


def test_fixed_shares_may_be_rounded() -> None:
    assert fixed_share(0.333).per_gpu == 3
    assert fixed_share(0.1).gpus == 0.1


def test_a_share_is_learned_for_each_kind_of_gpu() -> None:
    shares = Shares()
    assert shares.of(JIT, "A100") is None
    shares.measured(JIT, "A100", Footprint(9_000, 40_000, 0.1))
    share = shares.of(JIT, "A100")
    assert share
    assert share.per_gpu == 4
    assert "9,000 of 40,000 MiB" in share.why
    assert shares.of(JIT, "H200") is None


def test_memory_grows_with_the_batch_at_most_in_proportion() -> None:
    shares = Shares()

    def work(batch: int) -> Work:
        return Work("ssd", "vgg11", "cifar100", batch)

    shares.measured(work(64), "T4", Footprint(2_000, 16_000, 0.1))
    assert shares.of(work(64), "T4").per_gpu == 7  # type: ignore[union-attr]
    assert shares.of(work(128), "T4").per_gpu == 3  # type: ignore[union-attr]
    assert shares.of(work(32), "T4").per_gpu == 7  # type: ignore[union-attr]
    shares.measured(work(256), "T4", Footprint(2_400, 16_000, 0.1))
    assert shares.of(work(128), "T4").per_gpu == 6, "no more than the larger batch took"  # type: ignore[union-attr]
    assert shares.of(JIT, "T4") is None


def test_out_of_memory_halves_the_trials_of_a_gpu_down_to_one() -> None:
    shares = Shares({"": 0.125})
    for at, then in ((0.125, 4), (0.25, 2), (0.5, 1)):
        assert shares.too_small(JIT, "T4", at)
        assert shares.of(JIT, "T4").per_gpu == then  # type: ignore[union-attr]
    assert shares.too_small(JIT, "T4", 0.125), "a trial that began with the old share"
    assert shares.of(JIT, "T4").per_gpu == 1, "what was learned is kept"  # type: ignore[union-attr]
    assert not shares.too_small(JIT, "T4", 1.0)
    assert shares.of(Work("ssd", "vgg11", "cifar100"), "T4").per_gpu == 8  # type: ignore[union-attr]


@given(st.integers(1, 200), st.integers(1, 16), st.integers(1, 8))
def test_workers_are_spread_before_they_share(workers: int, gpus: int, most: int) -> None:
    workers_on = spread(workers, gpus, most)
    assert len(workers_on) == gpus
    assert sum(workers_on) == min(workers, gpus * most)
    assert max(workers_on) - min(workers_on) <= 1
