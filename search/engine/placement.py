"""Shares of GPUs learned from the table, so that a resumed run knows each kind of work's memory use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analysis.results.layout import Row
from cluster.gpu import Footprint, Shares, Work


class Learned(Shares):
    """Shares that learn from rows of the trials table, and report the result.

    Args:
        given: See `Shares`.
        notify: Receives a line about each share that was learned."""

    def __init__(self, given: Mapping[str, float], notify: Callable[[str], None]) -> None:
        super().__init__(given)
        self._notify = notify
        self._reported: set[str] = set()

    def learn(self, row: Row) -> None:
        """Learn the memory use of a kind of work from a trial's row."""
        kind = row.get("gpu_kind")
        if not kind:
            return
        work = _work(row)
        if row.get("gpu_out_of_memory"):
            self.too_small(work, kind, row["gpu_out_of_memory"])
        if row.get("gpu_peak_mb") and row.get("gpu_total_mb"):
            percent = row.get("gpu_busy")
            busy = None if percent is None else percent / 100
            self.measured(work, kind, Footprint(row["gpu_peak_mb"], row["gpu_total_mb"], busy))
            self._report(work, kind)

    def _report(self, work: Work, kind: str) -> None:
        share = self.of(work, kind)
        line = f"{work.method} with {work.model} on {work.dataset}: "
        line += f"{share.per_gpu} at once on each {kind}; {share.why}" if share else ""
        if share and line not in self._reported:
            self._reported.add(line)
            self._notify(line)


def _work(row: Row) -> Work:
    batch = row.get("param_batch_size")
    return Work(row["method"], row["model"], row["dataset"], None if batch is None else int(batch))
