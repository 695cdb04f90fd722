"""The earlier searches in a plan's `search.start_from`, which are read with the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analysis.errors import AnalysisError
from benchmarks.methods import Method, methods
from search.errors import PlanError, ResultsError
from search.plans.canonical import Tell
from search.plans.plan import Plan, StartFrom
from search.plans.starts.earlier import Earlier, as_history, as_points, outside
from search.studies.starts import Starts

Searches = Callable[[Method], list[Earlier]]


def with_earlier(plan: Plan, tell: Tell) -> Plan:
    """The plan with the starts of its searches from earlier searches.

    Args:
        tell: Called with a line about the trials that each method takes, and those that are left out.

    Raises:
        PlanError: if no trial can be used, with the reason.
    """
    given = plan.search.start_from
    if given is None:
        return plan
    try:
        searches = _reader(plan, given)
        starts = {name: taken(plan, methods.get(name), given, searches, tell) for name in plan.methods}
    except (AnalysisError, ResultsError) as error:
        raise PlanError(f"'search.start_from': {error}") from None
    if not any(start.identity for start in starts.values()):
        raise PlanError(f"'search.start_from' has no complete trial of {', '.join(plan.methods)}")
    return plan.with_starts(starts)


def taken(plan: Plan, method: Method, given: StartFrom, searches: Searches, tell: Tell) -> Starts:
    """The starts of the search of a method, from searches with the same figures if there are any.

    Raises:
        PlanError: as `with_earlier`.
    """
    every = searches(method)
    if not every:
        tell(f"{method.name} has no earlier search in {given}, so it starts without points")
        return Starts()
    usable = [search for search in every if not search.unlike] or every
    space = plan.space(method)
    for search in usable:
        if left := outside(method, space, search):
            values = " ".join(f"{n}={v}" for n, v in left[0].params.items() if n in space.varied)
            trials = "1 trial is" if len(left) == 1 else f"{len(left)} trials are"
            tell(f"{trials} outside the plan's space in {search.name}, such as {values}")
    if given.use == "history":
        starts = as_history(method, space, usable)
    else:
        starts = as_points(method, space, usable, given.points)
    if not starts.identity:
        raise PlanError(f"no trial of {usable[0].name} is in the space that the plan searches")
    names = " and ".join(search.name for search in usable[:3]) + (" and others" if len(usable) > 3 else "")
    tell(f"{method.name} starts from {starts.identity.rpartition(' ')[0]} of {names}")
    return starts


def _reader(plan: Plan, given: StartFrom) -> Searches:
    if given.optuna is not None:
        from search.plans.starts.earlier_optuna import earlier_studies
        from search.studies.optuna_storage import has_password

        address = given.optuna
        if has_password(address):
            raise PlanError(
                "'search.start_from' contains a password, and a plan is stored with its results; move it "
                "to the configuration of the database, or take points with `unlearn import`"
            )
        names = _names(plan, given.study)
        return lambda method: (
            earlier_studies(address, plan, method, names.get(method.name)) if method.name in names else []
        )
    from analysis.results.load import trials
    from search.plans.starts.earlier_results import earlier_searches

    results = given.results or ""
    rows = trials(results)
    return lambda method: earlier_searches(results, rows, plan, method)


def _names(plan: Plan, study: str | Mapping[str, str] | None) -> Mapping[str, str | None]:
    """The methods with a study in the database, and its name, or None if the database knows it."""
    if study is None:
        return dict.fromkeys(plan.methods)
    if isinstance(study, str):
        if len(plan.methods) > 1:
            raise PlanError(
                f"'search.start_from' names one study, and the plan has {len(plan.methods)} methods; write "
                f"'study: {{{plan.methods[0]}: NAME}}'"
            )
        return {plan.methods[0]: study}
    for name in study:
        if name not in plan.methods:
            raise PlanError(f"'search.start_from' has a study for '{name}', which is not among the methods")
    return study
