"""The search of a plan's hyper-parameters."""

from __future__ import annotations

from search.plans.identity import Identity, search_identity
from search.plans.trials import study_of
from search.stages.searched import rows_of, studies_of
from search.stages.session import Session


def search(session: Session) -> Identity:
    """Search every method of the plan on every scenario to search, all over the same workers.

    Returns:
        The identity of the run.
    """
    plan = session.plan
    studies = studies_of(plan)
    names = [f"{method.name} {scenario.key}" for method, scenario in studies]
    identity = search_identity(plan)
    with session.open_results(identity.run_id, names) as results:
        rows = results.rows()
        shard_studies = session.setting.shard.take(studies)
        sources = [
            study_of(plan, identity, method, scenario, rows_of(identity, method, scenario, rows))
            for method, scenario in shard_studies
        ]
        session.run(identity, sources, results, [scenario for _, scenario in shard_studies])
    return identity
