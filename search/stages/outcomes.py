"""The results of a stage for Python users, read only from the table of trials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from benchmarks.cards import Card, Shown
from benchmarks.errors import suggest
from search.errors import PlanError, RunError
from search.plans.identity import Identity, search_identity
from search.plans.plan import Plan
from search.results.writer import finished_trials
from search.stages.searched import parameters_of, rows_of, studies_of
from search.studies.objectives import best

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class StageResult(Shown):
    """A stage of a plan, complete or not.

    Attributes:
        plan: The plan as it was run.
        results: The location of its trials.
        identity: The content that identifies its rows; `identity.run_id` names the run.
    """

    plan: Plan
    results: str
    identity: Identity

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The trials of exactly this run, one row each.

        Raises:
            AnalysisError: if they cannot be read.
        """
        from analysis.results.load import trials

        rows = trials(self.results)
        ids = [self.identity.study_id(name) for name in self.identity.studies]
        return rows[rows["run_id"].isin(ids)].reset_index(drop=True)

    def card(self) -> Card:
        """The number of trials, and their location."""
        counts = self.trials["state"].value_counts().to_dict()
        how = ", ".join(f"{count} {state}" for state, count in counts.items())
        stage = f"{self.identity.stage} of plan {self.plan.name}"
        return Card(f"{stage}: {len(self.trials)} trials ({how}) in {self.results}", ())


@dataclass(frozen=True, repr=False)
class SearchResult(StageResult):
    """A search: the best parameters of every method on every forget set, and all trials."""

    @cached_property
    def studies(self) -> pd.DataFrame:
        """A row per method and forget set.

        Columns: method, forget, trials, complete, gap (of the best, points), unlearn_s (of the best, seconds)
        and a column per searched hyper-parameter.
        """
        import pandas as pd

        rows = finished_trials(self.results, self.identity.run_id)
        table = []
        for method, scenario in studies_of(self.plan):
            trials = rows_of(self.identity, method, scenario, rows)
            top = best(trials)
            names = self.plan.space(method).varied
            table.append(
                {
                    "method": method.name,
                    "forget": scenario.forget,
                    "trials": len(trials),
                    "complete": sum(row["state"] == "complete" for row in trials),
                    "gap": top["gap"] if top else None,
                    "unlearn_s": top["unlearn_s"] if top else None,
                    **({f"param_{name}": top[f"param_{name}"] for name in names} if top else {}),
                }
            )
        return pd.DataFrame(table)

    def best(self, method: str | None = None, forget: str | None = None) -> dict[str, Any]:
        """All hyper-parameters of the best complete trial.

        Args:
            method: Optional if the plan has only one.
            forget: The forget set of the search; optional if the plan searches only one.

        Raises:
            PlanError: for a method or forget set that the plan does not search, or if one must be named.
            RunError: if every trial failed.
        """
        studies = studies_of(self.plan)
        name = _chosen("method", method, [m.name for m, _ in studies])
        on = _chosen("forget", forget, [scenario.forget for _, scenario in studies])
        rows = finished_trials(self.results, self.identity.run_id)
        [(algorithm, scenario)] = [(m, s) for m, s in studies if (m.name, s.forget) == (name, on)]
        top = best(rows_of(self.identity, algorithm, scenario, rows))
        if top is None:
            raise RunError(f"no trial of '{name}' on '{on}' is complete; {self.results} has the reasons")
        return parameters_of(algorithm, top)

    def card(self) -> Card:
        """The best of every study."""
        import pandas as pd

        lines = []
        for row in self.studies.to_dict("records"):
            gap = "-" if pd.isna(row["gap"]) else f"{row['gap']:.2f}"
            gap = gap if row["complete"] else "all failed"
            values = {str(key): value for key, value in row.items() if not pd.isna(value)}
            shown = " ".join(
                f"{key.removeprefix('param_')}={value if isinstance(value, str) else f'{value:.4g}'}"
                for key, value in values.items()
                if key.startswith("param_")
            )
            lines.append([row["method"], row["forget"], f"{row['complete']}/{row['trials']}", gap, shown])
        head = ["method", "forget", "complete", "best gap", "parameters"]
        return Card(f"search of plan {self.plan.name} in {self.results}", lines, head)


@dataclass(frozen=True, repr=False)
class BenchmarkResult(StageResult):
    """A benchmark: the distance of every method to the retrained model."""

    @cached_property
    def answer(self) -> pd.DataFrame:
        """A row per method, the nearest to the retrained model first; see `analysis.answer.answer`."""
        import pandas as pd

        from analysis.answer import answer

        search = StageResult(self.plan, self.results, search_identity(self.plan))
        return answer(pd.concat([self.trials, search.trials]))  # with the searched parameters

    def card(self) -> Card:
        """A line for every method, nearest first."""
        from analysis.text.labels import mean_std

        rows = self.answer.to_dict("records")
        lines = [
            [
                row["method"],
                row["regime"],
                mean_std(row["distance"], row["deviation"], "gap"),
                f"{row['seconds']:.3g}",
                row["parameters"],
            ]
            for row in rows
        ]
        head = ["method", "values", "points away from retrain", "seconds", "parameters"]
        return Card(f"benchmark of plan {self.plan.name} in {self.results}", lines, head)


@dataclass(frozen=True, repr=False)
class SensitivityResult(StageResult):
    """A sensitivity analysis: trials around the best point of each search."""

    @cached_property
    def centres(self) -> dict[str, dict[str, Any]]:
        """The centre of each line.

        Keys are "METHOD on FORGET SET"; values are all hyper-parameters of the point.
        """
        return {name: dict(parts["centre"]) for name, parts in self.identity.studies.items()}


@dataclass(frozen=True, repr=False)
class PlanResult(Shown):
    """A whole plan.

    Attributes:
        benchmark: None if the plan has no benchmark.
        report: The file of the report.
    """

    search: SearchResult
    benchmark: BenchmarkResult | None
    report: str

    def card(self) -> Card:
        """The card of its last stage, with the location of the report."""
        card = (self.benchmark or self.search).card()
        return Card(f"{card.title}, report {self.report}", card.lines, card.head)


def _chosen(what: str, name: str | None, valid: list[str]) -> str:
    names = list(dict.fromkeys(valid))
    if name is None and len(names) == 1:
        return names[0]
    if name is None:
        raise PlanError(f"this search has several choices of '{what}'; name one of {', '.join(names)}")
    if str(name) not in names:
        raise PlanError(f"this search has no {what} '{name}'; {suggest(str(name), names)}")
    return str(name)
