"""The options of a run in addition to its plan, the same on the command line and in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.addresses import LOCAL
from search.errors import PlanError
from search.plans import limits

RESULTS = "results"
_BOUNDS = {
    "workers": (1, limits.WORKERS),
    "trials": (1, limits.TRIALS),
    "seed": (0, limits.SEED),
    "timeout": (1, limits.SECONDS),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How plans are run, and the changes to them for this run.

    Attributes:
        results: A folder, `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`; None if nothing is written.
        workers: Parallel trials; None for the plan's number, or as many as fit.
        address: "local", "auto" (the cluster of this machine) or "HOST:6379".
        trials: Trials of each method on each forget set, instead of the plan's.
        seed: Seed of the search, instead of the plan's.
        timeout: Seconds after which a stage starts no new trial.
        scale: The share of epochs, images, trials, seeds and steps to run, instead of the plan's.
        shard: The part of the work to do, as I/N.
        retry_failed: Rerun trials that failed before.
        allow_code: Allow a plan to import the module it names.
        changes: Values for keys of the plan that replace the file's, each `KEY=VALUE`.
        quiet: Print only results and errors.
        as_json: Print results as one JSON document, and everything else to stderr.

    Raises:
        PlanError: for a number that is out of bounds.
    """

    results: str | None = RESULTS
    workers: int | None = None
    address: str = LOCAL
    trials: int | None = None
    seed: int | None = None
    timeout: float | None = None
    scale: float | None = None
    shard: str = "1/1"
    retry_failed: bool = False
    allow_code: bool = False
    changes: Sequence[str] = ()
    quiet: bool = False
    as_json: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise PlanError(f"{name} is {value}; it can be {low} to {high}")
