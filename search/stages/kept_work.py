"""Shared values that methods store with the model: computed by `unlearn prepare`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cluster.tasks import Notify, in_parallel, on_gpus, shared
from search.engine.cores import use_cores
from search.stages.session import Session
from search.studies.study import SEEDS_PER_STUDY


@dataclass(frozen=True)
class _Job:
    method: str
    params: dict[str, Any]
    seed: int
    precision: str
    packed: Any
    data: Any
    device: str
    cpus: int


def keep_work(session: Session) -> Iterator[str]:
    """Compute the values that methods store, once per original model; yields a line for each value."""
    plan, known = session.plan, session.shared
    originals = {known.packed[s.key].original_id: known.packed[s.key] for s in plan.searched()}
    gpus = on_gpus(session.setting.slots)
    jobs = [
        _Job(
            method=method.name,
            params=dict(plan.space(method).fixed),
            seed=SEEDS_PER_STUDY * (plan.search.seed + 1),
            precision=plan.precision,
            packed=packed,
            data=known.data[packed.scenario.dataset],
            device=session.setting.slots.device if gpus else "cpu",
            cpus=session.setting.slots.cpus,
        )
        for method in plan.algorithms()
        if method.kept
        for packed in originals.values()
    ]
    if jobs:
        for _, lines in in_parallel(_keep, jobs, session.setting.slots, gpus=gpus):
            yield from lines


def _keep(job: _Job, report: Notify) -> list[str]:
    from benchmarks.datasets import provide
    from benchmarks.trial.kept_work import Keeping
    from benchmarks.trial.prepared import Prepared
    from benchmarks.trial.run import run_trial

    use_cores(job.cpus)
    data = shared(job.data)
    provide(data)
    works = Keeping()
    result = run_trial(
        Prepared.unpack(job.packed, data, job.device),
        job.method,
        job.params,
        seed=job.seed,
        metrics=[],
        precision=job.precision,  # type: ignore[arg-type]
        work=works,
    )
    lines = [
        f"{job.method}: {key.name.replace('_', ' ')} of all training images, "
        + (
            "from the cache"
            if cached
            else f"computed in {work.spent.seconds:.1f} s and stored with the model"
        )
        for key, (work, cached) in works.kept.items()
    ]
    return lines or [
        f"{job.method}: nothing could be stored with the model: {result.error or 'it has no shared values'}"
    ]
