"""Earlier searches in a database of Optuna studies, exported or of other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.errors import shown, suggest
from benchmarks.methods import Method
from search.errors import PlanError
from search.plans.plan import Plan
from search.plans.starts.earlier import Earlier, Trial
from search.results.optuna_studies import HELD
from search.studies.optuna_storage import opened

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

_WHERE = ("task", "dataset", "model")


def earlier_studies(address: str, plan: Plan, method: Method, study: str | None) -> list[Earlier]:
    """The studies of a method in a database.

    Args:
        study: The name of a study; None for the exported studies of the method, or the only one.

    Raises:
        PlanError: for an unknown name, several possible studies, or a study of other parameters.
        ResultsError: when the database cannot be used.
    """
    with opened(address, must_exist=True) as database:
        return [_earlier(chosen, plan, method) for chosen in _chosen(database, method, study)]


def _chosen(database: BaseStorage, method: Method, name: str | None) -> list[Study]:
    from optuna.study import get_all_study_names, load_study

    names = sorted(get_all_study_names(database))
    if name is not None:
        if name not in names:
            raise PlanError(f"there is no study '{shown(name)}' in the database; {suggest(name, names)}")
        return [load_study(study_name=name, storage=database)]
    studies = [load_study(study_name=other, storage=database) for other in names]
    of_method = [study for study in studies if study.user_attrs.get("method") == method.name]
    if of_method or len(studies) == 1:
        return of_method or studies
    listed = ", ".join(f"'{shown(other)}'" for other in names[:5]) or "none"
    raise PlanError(f"the database does not show which study is of {method.name}; name it: {listed}")


def _earlier(study: Study, plan: Plan, method: Method) -> Earlier:
    from optuna.trial import TrialState

    done = [t for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if t.values]
    space = plan.space(method)
    for trial in done:
        searched = {n for n, v in trial.params.items() if n not in space.fixed or v != space.fixed[n]}
        if searched != set(space.varied):
            raise PlanError(
                f"'{shown(study.study_name)}' varies {_listed(searched)}, and the plan's search of "
                f"{method.name} {_listed(space.varied)}; make them the same in 'search.space'"
            )
    signs = [1.0 if direction.name == "MINIMIZE" else -1.0 for direction in study.directions]
    trials = [
        Trial(
            t.user_attrs.get(HELD, {}) | t.params,
            tuple(sign * value for sign, value in zip(signs, t.values, strict=True)),
            f"{study.study_name} #{t.number}",
            bool(t.user_attrs.get("eval_ended")),
        )
        for t in done
    ]
    if len(signs) > 1:
        front = {trial.number for trial in study.best_trials}
        order = sorted(
            zip(done, trials, strict=True), key=lambda pair: (pair[1].ended, pair[0].number not in front)
        )
        trials = [trial for _, trial in order]
    else:
        trials.sort(key=lambda trial: (trial.ended, trial.objective))
    forget = str(study.user_attrs.get("forget", ""))
    return Earlier(f"'{shown(study.study_name)}'", forget, trials, _unlike(study, plan, method))


def _unlike(study: Study, plan: Plan, method: Method) -> str:
    """Why the values of a study differ from those that the plan's search would measure, by its attributes."""
    wanted = plan.objective()
    if study.metric_names != list(wanted.parts) or any(d.name != "MINIMIZE" for d in study.directions):
        names = _listed(wanted.parts)
        return f"its values are not known to be {names}, minimised (name them with study.set_metric_names)"
    recorded = {name: study.user_attrs.get(name, getattr(plan, name)) for name in _WHERE}
    if others := [f"{name} {value}" for name, value in recorded.items() if value != getattr(plan, name)]:
        return f"it had {' and '.join(others)}"
    fixed = dict(plan.space(method).fixed)
    return "it had other fixed values" if study.user_attrs.get("fixed", fixed) != fixed else ""


def _listed(names: object) -> str:
    return ", ".join(sorted(map(str, names))) or "nothing"  # type: ignore[call-overload]
