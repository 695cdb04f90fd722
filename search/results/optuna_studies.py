"""The searches of a results table as Optuna studies, made only from its rows and the records of its runs.

No plan is read and no method is looked up, so results of other users with user-defined methods work too.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from analysis.results.load import ranges
from analysis.results.ranges import Ranges
from analysis.studies import Study, metric_names, studies, varied
from benchmarks.errors import UnknownName
from search.results.records import records
from search.studies.objectives import OBJECTIVES, Objective, objective
from search.studies.pruning import measured, rungs
from search.studies.starts import ORIGIN

HELD = "held"  # attribute of a trial: hyper-parameters that its search did not vary
# Columns that become attributes of trials
_ATTRIBUTES = ("trial_number", "seed", "preset", ORIGIN, "error", "eval_ended", "unlearn_s")


@dataclass(frozen=True)
class Searched:
    """The varied and the fixed hyper-parameters of a study, and its objective."""

    space: Mapping[str, BaseDistribution]
    fixed: Mapping[str, Any]
    objective: Objective


@dataclass(frozen=True)
class Rebuilt:
    """A search study of a table, as Optuna would store it.

    Attributes:
        attributes: The columns that identify the study in the table.
        trials: In the order of their numbers; each has its `trial_id` as an attribute.
    """

    name: str
    objective: Objective
    attributes: Mapping[str, Any]
    trials: Sequence[FrozenTrial]

    def create(self, storage: optuna.storages.BaseStorage) -> optuna.Study:
        """Create the study in a storage, without trials.

        Raises:
            optuna.exceptions.DuplicatedStudyError: if the storage has one of that name.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        parts = self.objective.parts
        study = optuna.create_study(
            storage=storage, study_name=self.name, directions=["minimize"] * len(parts)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(parts))
        for name, value in self.attributes.items():
            study.set_user_attr(name, value)
        return study

    def missing(self, held: Sequence[FrozenTrial]) -> list[FrozenTrial] | None:
        """The trials that a study lacks; None if it has trials that are not, or no longer, in the table."""
        written = {_key(trial) for trial in self.trials}
        present = {_key(trial) for trial in held}
        return None if present - written else [trial for trial in self.trials if _key(trial) not in present]


def searched_spaces(results: Path | str, trials: pd.DataFrame) -> dict[str, Searched]:
    """The space of each search study of a table, by the `run_id` of its rows.

    It is in the records of the runs; without a record it is inferred from the differences between the rows.

    Raises:
        AnalysisError: when the table cannot be read.
        ResultsError: when the records cannot be read.
    """
    declared = ranges(results)
    recorded = {run_id: parts for record in records(results) for run_id, parts in _recorded(record)}
    return {
        study.run_id: _searched(study, frame, recorded.get(study.run_id), declared)
        for study, frame in studies(trials)
    }


def rebuilt(trials: pd.DataFrame, searched: Mapping[str, Searched]) -> list[Rebuilt]:
    """Every search study of a table.

    Args:
        searched: The spaces of all of its studies, see `searched_spaces`.
    """
    return [_study(study, frame, searched[study.run_id]) for study, frame in studies(trials)]


def name_of(study: Study) -> str:
    """The name of a study in Optuna, which does not depend on the other studies in the results."""
    what = f"{study.dataset} {study.model} {study.task}"
    return f"{study.method} on {what} {study.forget} ({study.run_id})"


def _key(trial: FrozenTrial) -> tuple[Any, ...]:
    return trial.user_attrs.get("trial_id"), trial.state, tuple(trial.values or ())


def _recorded(record: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The run_id of each study in a search's record, with its part of the record and the objective."""
    sampling = record["identity"].get("sampling")
    ids = record.get("ids")
    if not isinstance(sampling, dict) or not isinstance(ids, dict):
        return []
    shared = {"objective": sampling.get("objective")}
    return [(run_id, record["studies"][name] | shared) for name, run_id in ids.items()]


def _searched(
    study: Study, frame: pd.DataFrame, recorded: Mapping[str, Any] | None, declared: Ranges
) -> Searched:
    fixed: Mapping[str, Any] = {}
    choices: Mapping[str, Sequence[Any]] = {}
    minimised = OBJECTIVES["gap"]
    if recorded is not None:
        ends, choices = recorded["ranges"], recorded.get("choices", {})
        fixed = recorded["fixed"]
        with suppress(UnknownName):  # a user-defined metric that is not registered here
            minimised = objective(recorded["objective"] or "gap")
    else:
        columns = [column for column in varied(frame) if column in declared]
        ends = {column.removeprefix("param_"): _ends(frame[column]) for column in columns}
    space = {
        name: _distribution(name, study.method, low, high, declared) for name, (low, high) in ends.items()
    }
    among = {name: CategoricalDistribution(tuple(values)) for name, values in choices.items()}
    return Searched(space | among, fixed, minimised)


def _ends(values: pd.Series) -> list[Any]:
    low, high = values.min().item(), values.max().item()
    return [low, high]


def _distribution(name: str, method: str, low: Any, high: Any, declared: Ranges) -> BaseDistribution:
    axis = declared.get(f"param_{name}", {}).get(method)
    log = axis is not None and axis.log and low > 0
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _study(study: Study, frame: pd.DataFrame, searched: Searched) -> Rebuilt:
    attributes = {
        "method": study.method,
        "dataset": study.dataset,
        "model": study.model,
        "task": study.task,
        "forget": study.forget,
        "run_id": study.run_id,
        "fixed": dict(searched.fixed),
    }
    attributes_of_trials = [name for name in (*_ATTRIBUTES, *metric_names(frame)) if name in frame]
    latest = frame["finished_at"].max()
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    trials = [_trial(row, searched, attributes_of_trials, latest) for row in rows]
    return Rebuilt(name_of(study), searched.objective, attributes, trials)


def _trial(
    row: Mapping[Hashable, Any], searched: Searched, attributes: Sequence[str], latest: pd.Timestamp
) -> FrozenTrial:
    cells = {str(name): _plain(value) for name, value in row.items()}
    values = searched.objective.of(cells)
    params = {name: cells.get(f"param_{name}") for name in searched.space}
    distributions = {name: _holding(searched.space[name], value) for name, value in params.items()}
    inside = {name: distribution for name, distribution in distributions.items() if distribution is not None}
    given = {name.removeprefix("param_"): value for name, value in cells.items() if name.startswith("param_")}
    held = {name: value for name, value in given.items() if value is not None and name not in inside}
    gaps = measured(cells)
    ended = TrialState.PRUNED if cells["state"] == "pruned" else TrialState.FAIL
    trial = create_trial(
        state=ended if values is None else TrialState.COMPLETE,
        values=values,
        params={name: params[name] for name in inside},
        distributions=inside,
        intermediate_values=gaps,
        system_attrs=rungs(gaps),
        user_attrs={"trial_id": cells["trial_id"], HELD: held}
        | {name: cells[name] for name in attributes if cells[name] not in (None, "")},
    )
    trial.datetime_start = _local(cells.get("started_at") or cells.get("finished_at") or latest)
    trial.datetime_complete = _local(cells.get("finished_at") or latest)
    return trial


def _holding(distribution: BaseDistribution, value: Any) -> BaseDistribution | None:
    """A distribution that contains a value; None without a value.

    A row has the value that was tried, which may be outside the range in a damaged or foreign record.
    """
    if isinstance(distribution, CategoricalDistribution):
        return distribution if value in distribution.choices else None
    if not isinstance(value, (int, float)):
        return None
    if distribution._contains(distribution.to_internal_repr(value)):
        return distribution
    return FloatDistribution(min(distribution.low, value), max(distribution.high, value))  # type: ignore[attr-defined]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _local(at: pd.Timestamp) -> datetime:
    """A time as Optuna stores it: in the time zone of this machine, without naming it."""
    if pd.isna(at):
        return datetime.now()
    return at.to_pydatetime().astimezone().replace(tzinfo=None)
