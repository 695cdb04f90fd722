"""The report: one HTML file that holds everything it shows and opens without a network."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis import (
    benchmark_sections,
    comparison_sections,
    departures,
    load,
    preset_sections,
    run_sections,
    search_sections,
    study_sections,
)
from analysis.breakdown import natural
from analysis.errors import AnalysisError
from analysis.page import Section
from analysis.searched import range_of, searched_ranges
from analysis.store import reason, store_at
from analysis.studies import REFERENCES
from analysis.style import colours
from analysis.text import printable


def write_report(place: Path | str, out: Path | str | None = None) -> str:
    """Write the report of some results and return where it is; an older report is replaced at once.

    Args:
        place: The results folder or its address in a bucket; only read, unless the report is written there.
        out: The HTML file, also in a bucket; by default `report.html` beside the results.

    Raises:
        AnalysisError: when the results cannot be read or the report cannot be written.
    """
    where = str(out) if out is not None else store_at(place).at("report.html")
    folder, _, file = where.rpartition("/")
    store = store_at(folder or ("/" if where.startswith("/") else "."))
    html = render(place)
    try:
        store.write(file, html.encode())
    except OSError as error:
        raise AnalysisError(
            f"cannot write the report {where}: {reason(error)}; choose another file with --out"
        ) from error
    return where


def render(place: Path | str) -> str:
    """The report of some results as HTML.

    Raises:
        AnalysisError: when the results cannot be read.
    """
    trials = load.trials(place)
    sections = _sections(place, trials)
    page = Environment(
        loader=PackageLoader("analysis", ""),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return page.get_template("report.html.j2").render(
        title=_title(trials), lead=_lead(trials), facts=_facts(trials), sections=sections
    )


def _finalize(value: object) -> object:
    return printable(value) if type(value) is str else value


def _sections(place: Path | str, trials: pd.DataFrame) -> list[Section]:
    """All chapters that have something to show."""
    ranges = load.ranges(place)
    searched = searched_ranges(place, trials, ranges)
    palette = colours(trials["method"])
    samples = load.samples(place)
    found = [
        benchmark_sections.results(trials),
        preset_sections.presets(trials),
        departures.chapter(place),
        comparison_sections.comparison(trials, samples),
        search_sections.searches(
            trials, palette, lambda study, name: range_of(study, name, searched, ranges)
        ),
        search_sections.check(trials),
        study_sections.transferred(trials),
        study_sections.sequences(trials, load.steps(place), palette),
        benchmark_sections.classes(trials, palette),
        benchmark_sections.damage(trials, load.classes(place)),
        search_sections.sensitivity(trials, ranges, palette),
        search_sections.importance(trials, ranges, palette),
        benchmark_sections.entropy(trials, samples, palette),
        benchmark_sections.quality(trials, samples),
        run_sections.failures(trials),
        run_sections.provenance(trials),
        run_sections.dictionary(load.columns(place)),
    ]
    return [section for section in found if section is not None]


def _title(trials: pd.DataFrame) -> str:
    places = trials[["dataset", "model"]].drop_duplicates()
    names = [f"{row.dataset} with {row.model}" for row in places.itertuples()]
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
    def listed(name: str, most: int = 12) -> str:
        values = sorted(set(trials[name]), key=natural)
        return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")

    methods = sorted(set(trials["method"]) - set(REFERENCES))
    ended = trials["finished_at"].max()
    facts = [("Task", listed("task")), ("Methods", ", ".join(methods)), ("Forget sets", listed("forget"))]
    if pd.notna(ended):
        facts.append(("Finished", f"{ended:%Y-%m-%d %H:%M} UTC"))
    return facts
