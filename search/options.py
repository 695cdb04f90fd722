"""What a person may ask of a run beside its plan, on the command line and from Python alike."""

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


@dataclass(frozen=True)
class Options:
    """How plans are run, and what is changed of them for this time.

    Attributes:
        results: A folder, `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`; None where nothing is written.
        workers: Trials at once; None for what the plan says, else as many as fit.
        address: "local", "auto" (the cluster this machine is in) or "HOST:6379".
        trials: Trials of each method on each forget set, in place of the plan's.
        seed: Seed of the search, in place of the plan's.
        timeout: Seconds after which a stage starts no further trial.
        scale: The share of epochs, images, trials, seeds and steps to run, in place of the plan's.
        shard: The part of the work to do, written I/N.
        retry_failed: Run the trials again that failed before.
        allow_code: Let a plan import the module that it names.
        changes: Values for keys of the plan in place of the file's, each `KEY=VALUE`.
        quiet: Say nothing but results and errors.
        as_json: Print results as one JSON document, and all else to the error output.

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
