"""A plan, and how its stages are to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.slots import Slots
from search.plans.plan import Plan
from search.results.shards import WHOLE, Shard


@dataclass(frozen=True)
class Setting:
    """How the stages of a plan are to run.

    Attributes:
        results: A folder, or the address of a prefix in a bucket.
        slots: The workers, cores and GPUs that may be used, and where.
        timeout: Seconds after which a stage starts no further trial.
        shard: The part of every stage's work to do.
        retry_failed: Whether trials that failed before are run again.
    """

    plan: Plan
    results: Path | str
    slots: Slots
    timeout: float | None = None
    shard: Shard = WHOLE
    retry_failed: bool = False
