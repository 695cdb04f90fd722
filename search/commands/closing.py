"""The closing lines of the commands, as text or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from search.options import Options
    from search.stages.session import Session


def print_best(sessions: Sequence[Session], options: Options) -> None:
    """Print the best of every study, values near an end of their range, and the location of the trials."""
    from benchmarks.listing import print_object
    from search.display.screen import terminal
    from search.results.storage import store_at
    from search.stages.searched import best_lines

    location = store_at(sessions[0].setting.results).at("trials")
    if options.as_json:
        print_object({"best": [row for session in sessions for row in _best(session)], "trials": location})
        return
    console = terminal()
    for session in sessions:
        for line in best_lines(session.setting):
            console.print(line)
    console.print(f"trials: {location}  (pd.read_parquet reads it)")


def print_results(sessions: Sequence[Session], options: Options) -> None:
    """Print the distance of every benchmarked method to retraining, and the locations of all tables."""
    from analysis import trials, write_report
    from analysis.answer import answer
    from analysis.text.answer import answer_lines
    from analysis.text.tables import to_records
    from benchmarks.listing import print_object
    from search.display.screen import activity, patience, terminal
    from search.results.schema import TABLES
    from search.results.storage import store_at

    location, console = sessions[0].setting.results, sessions[0].console
    with patience(console, "Reading the results"):
        rows = trials(location)
    answers = [answer(_rows_of(rows, session.plan.name)) for session in sessions]
    results = terminal()
    if not options.as_json:
        for table in answers:
            for line in answer_lines(table, results.width if results.is_terminal else None):
                results.print(line)
        results.print()
    with activity(console, "Writing the report"):
        page = write_report(location)
    store = store_at(location)
    locations = {name: store.at(name) for name in TABLES if store.files(name)}
    if options.as_json:
        answer_rows = [row for table in answers for row in to_records(table)]
        print_object({"answer": answer_rows, "tables": locations, "report": str(page)})
        return
    for name, where in {**locations, "report": page}.items():
        results.print(f"{name}: {where}")


def _rows_of(rows: pd.DataFrame, plan: str) -> pd.DataFrame:
    return rows[rows.run_id.str.startswith((f"{plan}-benchmark-", f"{plan}-search-"))]


def _best(session: Session) -> list[dict[str, Any]]:
    """The best trial of each study, with its parameters in a separate object."""
    from analysis.text.tables import to_records
    from search.plans.identity import search_identity
    from search.stages.outcomes import SearchResult

    plan = session.plan
    result = SearchResult(plan, str(session.setting.results), search_identity(plan))
    scenario = {"plan": plan.name, "dataset": plan.dataset, "model": plan.model, "task": plan.task}
    rows = []
    for row in to_records(result.studies):
        complete = row["complete"] > 0
        columns = {name: value for name, value in row.items() if not name.startswith("param_")}
        parameters = result.best(row["method"], row["forget"]) if complete else None
        rows.append({**scenario, **columns, "parameters": parameters})
    return rows
