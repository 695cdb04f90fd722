"""The report: one HTML file that contains everything it shows and opens without a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from analysis.answer import PART, answer
from analysis.breakdown import computed_once, natural
from analysis.drawing.style import colours
from analysis.errors import AnalysisError
from analysis.report import benchmark as benchmark_sections
from analysis.report import claims as claims_sections
from analysis.report import comparison as comparison_sections
from analysis.report import departures, search_charts
from analysis.report import destinations as destination_sections
from analysis.report import models as model_sections
from analysis.report import pareto as pareto_sections
from analysis.report import presets as preset_sections
from analysis.report import runs as run_sections
from analysis.report import search as search_sections
from analysis.report import transfer as study_sections
from analysis.report.embedded import as_json, packed, plotly
from analysis.report.page import Part, Section
from analysis.report.parts import Share, shares
from analysis.report.summary import matrix, summary
from analysis.results import load
from analysis.results.load import Locations
from analysis.results.plan_records import PlanRecord, plan_records
from analysis.results.ranges import Range, Ranges
from analysis.results.searched import range_of, searched_ranges
from analysis.results.store import reason, store_at
from analysis.searches.importance import importances
from analysis.studies import REFERENCES, Study, studies
from analysis.text.names import printable


def write_report(results: Locations, out: Path | str | None = None) -> str:
    """Write the report of some results and return its path; an older report is replaced in one step.

    Args:
        results: The results folder or its address in a bucket, or several of them, which are then shown side
            by side. They are only read, unless the report is written there.
        out: The HTML file, also in a bucket; by default `report.html` in the results folder, or, for several
            of them, in the current folder.

    Raises:
        AnalysisError: if the results cannot be read or the report cannot be written.
    """
    locations = load.locations_of(results)
    beside = "./report.html" if len(locations) > 1 else store_at(locations[0]).at("report.html")
    where = str(out) if out is not None else beside
    folder, _, file = where.rpartition("/")
    store = store_at(folder or ("/" if where.startswith("/") else "."))
    html = render(results)
    try:
        store.write(file, html.encode())
    except OSError as error:
        raise AnalysisError(
            f"cannot write the report {where}: {reason(error)}; choose another file with --out"
        ) from error
    return where


def render(results: Locations) -> str:
    """The report of some results as HTML; of several, each has parts with its location in their titles.

    Raises:
        AnalysisError: if the results cannot be read.
    """
    locations = load.locations_of(results)
    tables = {location: load.trials(location) for location in locations}
    trials = pd.concat(list(tables.values()), ignore_index=True)
    seen: set[str] = set()
    alone = len(locations) == 1
    with computed_once():
        parts = [part for location, rows in tables.items() for part in _parts(location, rows, seen, alone)]
        sections = [
            section for location, rows in tables.items() for section in _common(location, rows, alone)
        ]
    if len(parts) > 1:
        parts = [replace(part, anchor=f"part{i}-") for i, part in enumerate(parts, 1)]
    overview = matrix([(part.title, part.lines) for part in parts]) if len(parts) > 1 else None
    sections.append(run_sections.dictionary(load.columns(results)))
    known = {key: study for part in parts for key, study in part.studies.items()}
    charts = any(part.summary or part.studies for part in parts)
    return _page().render(
        title=_title(trials),
        lead=_lead(trials),
        facts=_facts(trials),
        overview=overview,
        parts=parts,
        sections=sections,
        studies=packed(as_json(known)),
        plotly=plotly() if charts else "",
        as_json=as_json,
        plan_text=_plan_text,
        css=_asset("report.css"),
        script=Markup("\n").join(_asset(f"{name}.js") for name in ("report", "charts", "figures")),
    )


@cache
def _page() -> Template:
    environment = Environment(
        loader=PackageLoader("analysis.report", ""),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _finalize(value: object) -> object:
    return printable(value) if type(value) is str else value


def _asset(name: str) -> Markup:
    """A file of this package that is included in the page unchanged."""
    return Markup(files("analysis.report").joinpath(name).read_text(encoding="utf-8"))


def _plan_text(text: str) -> Markup:
    """A plan with its line breaks; in other texts a line break is shown as an escape."""
    return Markup("\n").join(printable(line) for line in text.splitlines())


def _parts(location: str, trials: pd.DataFrame, seen: set[str], alone: bool) -> list[Part]:
    """The parts of some results, one for each plan and scenario, with the chapters that have content.

    Args:
        seen: The paragraphs of earlier parts; those of these parts are added.
        alone: Whether these are the only results of the report.
    """
    ranges = load.ranges(location)
    searched = searched_ranges(location, trials, ranges)
    readers = (load.classes, load.samples, load.steps, load.progress, load.inversions)
    tables = [trials, *(read(location) for read in readers)]
    if not alone:  # a plan that ran at two locations has the same run ids in both
        tables = [_with_location(table, location) for table in tables]
        searched = {_run_in(run, location): known for run, known in searched.items()}
    lines = answer(tables[0])
    palette = colours(trials["method"])
    records = plan_records(location)
    folder = location.rstrip("/").rpartition("/")[2] or "results"
    every = list(shares(*tables))
    content = [
        _chapters(
            share,
            ranges,
            palette,
            lambda study, name: range_of(study, name, searched, ranges),
            records.get(share.key[0]),
        )
        for share in every
    ]
    return [
        Part(
            "",
            share.title if alone else f"{location}: {share.title}",
            _of(lines, share),
            summary(_of(lines, share), palette, records.get(share.key[0]), folder),
            _without_repeats(chapters, seen),
            data,
        )
        for share, (chapters, data) in zip(every, content, strict=True)
    ]


def _with_location(table: pd.DataFrame, location: str) -> pd.DataFrame:
    return table.assign(run_id=[_run_in(run, location) for run in table["run_id"]]) if len(table) else table


def _run_in(run_id: str, location: str) -> str:
    """A run_id, `run/particular`, with the location added to the second part."""
    run, _, particular = run_id.partition("/")
    return f"{run}/{particular} in {location}"


def _without_repeats(sections: list[Section], seen: set[str]) -> list[Section]:
    """Chapters without paragraphs in `seen`, to which their other paragraphs are added."""
    kept = [replace(section, text=[t for t in section.text if t not in seen]) for section in sections]
    seen.update(text for section in sections for text in section.text)
    return kept


def _of(lines: pd.DataFrame, share: Share) -> pd.DataFrame:
    """The lines of the answer for one part."""
    return lines[(lines[PART] == list(share.key)).all(axis=1)]


def _chapters(
    share: Share,
    ranges: Ranges,
    palette: Mapping[str, str],
    range_searched: Callable[[Study, str], Range | None],
    record: PlanRecord | None,
) -> tuple[list[Section], dict[str, dict[str, Any]]]:
    """The chapters of one part, and the data of its searches for charts."""
    searches = list(studies(share.trials))
    known = importances([rows for _, rows in searches], ranges)
    sections = [
        benchmark_sections.results(share.trials),
        claims_sections.claims(share.trials, range_searched, palette),
        preset_sections.presets(share.trials),
        search_sections.searches(searches, palette, range_searched),
        pareto_sections.fronts(searches, record),
        search_sections.check(share.trials),
        study_sections.transferred(share.trials),
        study_sections.sequences(share.trials, share.steps, palette),
        benchmark_sections.classes(share.trials, palette),
        benchmark_sections.damage(share.trials, share.classes),
        search_sections.sensitivity(share.trials, searches, ranges, palette),
        search_sections.importance(searches, known),
        benchmark_sections.entropy(share.trials, share.samples, palette),
        destination_sections.destination_section(share.trials, share.samples),
        benchmark_sections.quality(share.trials, share.samples),
        model_sections.on_the_way(share.trials, share.progress),
        model_sections.inverted(share.trials, share.inversions),
    ]
    data = search_charts.as_data(searches, palette, ranges, known)
    return [section for section in sections if section is not None], data


def _common(location: str, trials: pd.DataFrame, alone: bool) -> list[Section]:
    """The chapters about all plans and scenarios of a location."""
    sections = [
        departures.chapter(location),
        comparison_sections.comparison(trials, load.samples(location)),
        run_sections.failures(trials),
        run_sections.provenance(trials),
    ]
    shown = [section for section in sections if section is not None]
    if alone:
        return shown
    mark = hashlib.sha256(location.encode()).hexdigest()[:8]
    return [replace(s, anchor=f"{s.anchor}-{mark}", title=f"{s.title}: {location}") for s in shown]


def _title(trials: pd.DataFrame) -> str:
    models = trials[["dataset", "model"]].drop_duplicates()
    names = [f"{row.dataset} with {row.model}" for row in models.itertuples()]
    more = " and more" if len(names) > 3 else ""
    small = " (scaled)" if any("@" in name for name in names) else ""
    return f"Unlearning on {'; '.join(names[:3])}{more}{small}"


def _lead(trials: pd.DataFrame) -> str:
    kinds = trials["kind"].value_counts()
    words = {
        "search": "in searches",
        "sensitivity": "in sensitivity runs",
        "benchmark": "in the benchmark",
        "reference": "of the reference models",
    }
    parts = [f"{kinds[kind]} {text}" for kind, text in words.items() if kind in kinds]
    failed = int((trials["state"] == "failed").sum())
    lost = f"{failed} failed" if failed else "none failed"
    return f"{len(trials)} trials: {', '.join(parts)}; {lost}."


def _facts(trials: pd.DataFrame) -> list[tuple[str, str]]:
    def listed(rows: pd.DataFrame, name: str, most: int = 12) -> str:
        values = sorted(set(rows[name]), key=natural)
        return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")

    methods = sorted(set(trials["method"]) - set(REFERENCES))
    ended = trials["finished_at"].max()
    tasks = [f"{task} ({listed(rows, 'forget')})" for task, rows in trials.groupby("task")]
    facts = [("Methods", ", ".join(methods)), ("Forget sets", "; ".join(tasks))]
    if pd.notna(ended):
        facts.append(("Finished", f"{ended:%Y-%m-%d %H:%M} UTC"))
    return facts
