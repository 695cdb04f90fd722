"""`unlearn list`: what there is."""

from __future__ import annotations

from collections.abc import Callable

import typer

Listing = tuple[list[str], list[list[str]]]  # header and rows


def list_methods() -> Listing:
    """What each method may see, does and searches."""
    from benchmarks.hyperparameters import declared
    from benchmarks.methods import methods

    def searched(params: type) -> str:
        return " ".join(p.name for p in declared(params) if p.searched)

    header = ["method", "access", "tasks", "searched", "what it does"]
    return header, [
        [m.name, m.access.label, " ".join(m.tasks), searched(m.Params), m.summary] for m in methods
    ]


def list_models() -> Listing:
    """The networks and the smallest images they take."""
    from benchmarks.models import models

    header = ["model", "smallest image", "what it is"]
    return header, [[m.name, f"{m.min_size} px", m.summary] for m in models]


def list_datasets() -> Listing:
    """The data sets, their sizes and the tasks they allow."""
    from benchmarks.datasets import datasets

    header = ["data set", "classes", "images", "tasks", "what it is"]
    return header, [
        [
            d.name,
            str(len(d.names(d.predicts))),
            f"{d.train_size}+{d.test_size}",
            "full_class random" + (" sub_class" if d.superclasses else ""),
            d.summary,
        ]
        for d in datasets
    ]


def list_metrics() -> Listing:
    """The metrics and their units."""
    from benchmarks.metrics import metrics

    return ["metric", "unit", "what it says"], [[m.name, m.unit, m.summary] for m in metrics]


def describe_method(name: str) -> Listing:
    """The hyper-parameters of one method.

    Raises:
        UnknownName: with the nearest names.
    """
    from benchmarks.hyperparameters import declared
    from benchmarks.methods import methods

    rows = []
    for p in declared(methods.get(name).Params):
        scale = " log" if p.log else ""
        limits = f"{p.low:g} to {p.high:g}{scale}" if p.has_range else " ".join(map(str, p.choices or ()))
        rows.append([p.name, str(p.default), limits, "yes" if p.searched else "", p.doc])
    return ["hyper-parameter", "default", "range", "searched", "what it is"], rows


def list_presets() -> Listing:
    """The published values of all methods."""
    from benchmarks.methods import methods

    header = ["method", "preset", "model", "task", "values", "source"]
    return header, [
        [
            method.name,
            preset.name,
            preset.model,
            preset.task,
            " ".join(f"{name}={value}" for name, value in preset.values.items()),
            preset.source,
        ]
        for method in methods
        for preset in method.presets
    ]


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """A table for a terminal; tab-separated lines where the output is none."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        for row in [header, *rows]:
            typer.echo("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in header:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def register(app: typer.Typer, list_plans: Callable[[], Listing]) -> None:
    """Add this package's commands; `list_plans` gives what `unlearn list plans` prints."""
    kinds = {
        "methods": list_methods,
        "models": list_models,
        "datasets": list_datasets,
        "metrics": list_metrics,
        "presets": list_presets,
        "plans": list_plans,
    }

    @app.command("list")
    def list_command(
        kind: str = typer.Argument(..., metavar="|".join(kinds), help="What to list."),
        name: str = typer.Argument(
            "", metavar="[METHOD]", help="A method, to see its hyper-parameters or presets."
        ),
    ) -> None:
        """List methods, models, data sets, metrics, presets (published values) or plans."""
        from benchmarks.errors import UnknownName

        if kind not in kinds:
            raise UnknownName("list", kind, kinds)
        header, rows = kinds[kind]()
        if name:
            described = describe_method(name)
            header, rows = described if kind == "methods" else (header, [r for r in rows if r[0] == name])
        print_table(header, rows)
