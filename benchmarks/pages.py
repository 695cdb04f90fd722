"""The page of a registered name: a method, a network, a data set or a metric."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.errors import InvalidScenario, UnknownName
from benchmarks.listing import Cell, Listing, Rows, keyed, text
from benchmarks.registry import Registry
from benchmarks.trial.evaluated_images import evaluated_images

if TYPE_CHECKING:
    from benchmarks.datasets import DataSource
    from benchmarks.methods import Method
    from benchmarks.metrics import Metric
    from benchmarks.models import Model

_CODE = "import:"  # looking up such a name runs the user's code
_BROKEN = 88  # characters; a longer line of a docstring continues in the next line
_CLASSES = 40  # names of classes that a page lists
_MEASURED = {
    "always": "always",
    "benchmarks": "in every benchmark and sensitivity analysis",
    "named": "if a plan names it in benchmark.metrics",
}


@dataclass(frozen=True)
class Page:
    """The description of a registered entry.

    Attributes:
        kind: method, model, data set or metric.
        facts: Name -> value, for a line each.
        details: Paragraphs of the docstring.
        tables: Title -> a list.
    """

    kind: str
    name: str
    summary: str
    facts: Mapping[str, Cell]
    details: str = ""
    tables: Mapping[str, Listing] = field(default_factory=dict)

    def as_object(self) -> dict[str, Any]:
        """The page as plain values, for JSON."""
        page: dict[str, Any] = {"kind": self.kind, "name": self.name, "summary": self.summary}
        page |= {name.replace(" ", "_"): value for name, value in self.facts.items()}
        page |= {"details": self.details} if self.details else {}
        tables = {
            title.replace("-", "_").replace(" ", "_"): keyed(*rows) for title, rows in self.tables.items()
        }
        return page | tables


def pages(name: str) -> list[Page]:
    """The pages of all entries with a name; empty if there is no such entry.

    Raises:
        InvalidScenario: for the name of user-defined code, which is not run for a page.
        BenchmarkError: for an invalid member of a family or an invalid variant.
    """
    if name.startswith(_CODE):
        raise InvalidScenario(f"'{name}' is your own code, which is not run to show it; read the code")
    members = []
    for registry, page in _kinds():
        try:
            members.append(page(registry.get(name)))
        except UnknownName:
            continue
    return members


def known_names() -> list[str]:
    """All registered names, of every kind."""
    return [name for registry, _ in _kinds() for name in registry.names()]


def print_page(page: Page) -> None:
    """Print a page in the terminal's width."""
    import shutil
    import textwrap

    import typer

    from benchmarks.listing import print_table

    width = shutil.get_terminal_size().columns

    def wrapped(line: str, indent: str = "", hang: str = "") -> str:
        return textwrap.fill(
            line, width, initial_indent=indent, subsequent_indent=hang, break_on_hyphens=False
        )

    typer.echo(f"{page.name}, a {page.kind}")
    typer.echo(wrapped(page.summary, "  ", "  "))
    typer.echo()
    facts = {name: text(value) for name, value in page.facts.items()}
    column = max(map(len, facts)) + 2
    for name, value in facts.items():
        if value:
            typer.echo(wrapped(value, name.ljust(column), " " * column))
    if page.details:
        typer.echo()
        for line in _unbroken(page.details):
            typer.echo(wrapped(line))
    for title, listing in page.tables.items():
        typer.echo(f"\n{title}:")
        print_table(*listing)


def _unbroken(details: str) -> list[str]:
    """The paragraphs of a docstring, without the line breaks within a sentence."""
    lines = [""]
    last = ""
    for line in details.splitlines():
        if line and len(last) >= _BROKEN:
            lines[-1] += f" {line}"
        else:
            lines.append(line)
        last = line
    return lines[1:]


def _kinds() -> list[tuple[Registry[Any], Callable[[Any], Page]]]:
    from benchmarks.datasets import datasets
    from benchmarks.methods import methods
    from benchmarks.metrics import metrics
    from benchmarks.models import models

    return [(methods, _method), (models, _model), (datasets, _dataset), (metrics, _metric)]


def _method(method: Method) -> Page:
    from benchmarks.cli import describe_method

    facts: dict[str, Cell] = {
        "source": method.source,
        "access": method.access.label,
        "tasks": method.tasks,
        "search it": "" if method.reference else f"unlearn init --methods {method.name}",
    }
    tables = {"hyper-parameters": describe_method(method.name), "presets": _presets(method)}
    return Page(
        "method",
        method.name,
        method.summary,
        facts,
        inspect.cleandoc(type(method).__doc__ or ""),
        {title: listing for title, listing in tables.items() if listing[1]},
    )


def _presets(method: Method) -> Listing:
    from benchmarks.presets import PAPERS

    rows: Rows = []
    for preset in method.presets:
        papers = "; ".join(PAPERS.get(paper, paper) for paper in preset.papers)
        where = [preset.dataset, preset.model, preset.task]
        rows.append([preset.name, preset.values, where, f"{papers}, {preset.source}".removesuffix(", ")])
    return ["preset", "values", "published for", "where"], rows


def _model(model: Model) -> Page:
    facts: dict[str, Cell] = {
        "source": model.source,
        "smallest image": f"{model.min_size} pixels a side",
        "built for": f"{model.takes} pixels; images are resized" if model.takes else "the data set's images",
        "pretrained": "from published weights" if model.load_pretrained else "no published weights",
        "as published": "original: published" if model.published else "",
    }
    return Page("model", model.name, model.summary, facts)


def _dataset(source: DataSource) -> Page:
    names = source.names(source.predicts)
    more = [f"... ({len(names)} in all)"] if len(names) > _CLASSES else []
    evaluated = evaluated_images(source, "auto")
    facts: dict[str, Cell] = {
        "source": source.source,
        "images": f"{source.train_size} for training, {source.test_size} for testing",
        "pixels": f"{source.image_size} a side, {'grey' if source.channels == 1 else 'colour'}",
        "held out": f"{source.validation_fraction * 100:g} % of the training images, to choose parameters by",
        "a search evaluates": str(evaluated) if evaluated.fewer else "",
        "people": str(len(source.identities)) if source.identities else "",
        "superclasses": str(len(source.superclasses)) if source.superclasses else "",
        "classes": ", ".join([*names[:_CLASSES], *more]),
        "note": source.note,
    }
    return Page("data set", source.name, source.summary, facts)


def _metric(metric: Metric) -> Page:
    reached = {
        "retrained": "the retrained model's value",
        "zero": "0",
        "none": "nothing: it tells methods apart",
    }
    facts: dict[str, Cell] = {
        "source": metric.source,
        "unit": metric.unit,
        "ideal": reached.get(metric.ideal, metric.ideal),
        "measured": _MEASURED[metric.measured],
    }
    return Page("metric", metric.name, metric.summary, facts)
