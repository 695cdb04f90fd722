"""A plan and the settings of its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.slots import Slots
from search.plans.plan import Plan
from search.results.shards import WHOLE, Shard


@dataclass(frozen=True)
class Setting:
    """The settings under which the stages of a plan run.

    Attributes:
        results: A folder, or the address of a prefix in a bucket.
        slots: The workers, cores and GPUs that may be used, and where.
        timeout: Seconds after which a stage starts no new trial.
        shard: The part of every stage's work that this driver runs.
        retry_failed: Whether trials that failed before are rerun.
    """

    plan: Plan
    results: Path | str
    slots: Slots
    timeout: float | None = None
    shard: Shard = WHOLE
    retry_failed: bool = False
