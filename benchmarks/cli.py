"""`unlearn list`: what there is."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import typer


class Kind(StrEnum):
    """What can be listed."""

    methods = "methods"
    models = "models"
    datasets = "datasets"
    metrics = "metrics"


def list_entries(kind: Kind, plans: dict[str, str] | None = None) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a listing."""
    if kind is Kind.methods:
        from benchmarks.hyperparameters import declared
        from benchmarks.methods import methods

        header = ["method", "access", "tasks", "searched", "what it does"]
        rows = [
            [
                m.name,
                m.access.label,
                " ".join(m.tasks),
                " ".join(p.name for p in declared(m.Params) if p.searched),
                m.summary,
            ]
            for m in methods
        ]
    elif kind is Kind.models:
        from benchmarks.models import models

        header = ["model", "smallest image", "what it is"]
        rows = [[m.name, f"{m.min_size} px", m.summary] for m in models]
    elif kind is Kind.datasets:
        from benchmarks.datasets import datasets

        header = ["data set", "classes", "images", "tasks", "what it is"]
        rows = [
            [
                d.name,
                str(len(d.names(d.predicts))),
                f"{d.train_size}+{d.test_size}",
                "full_class random" + (" sub_class" if d.superclasses else ""),
                d.summary,
            ]
            for d in datasets
        ]
    else:
        from benchmarks.metrics import metrics

        header = ["metric", "unit", "what it says"]
        rows = [[m.name, m.unit, m.summary] for m in metrics]
    return header, rows


def describe_method(name: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one method's hyper-parameters.

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


def register(app: typer.Typer, list_plans: Any) -> None:
    """Add this package's commands; `list_plans` gives the rows of `unlearn list plans`."""
    choices = [*Kind, "plans"]

    @app.command("list")
    def list_command(
        kind: str = typer.Argument(..., metavar="|".join(choices), help="What to list."),
        name: str = typer.Argument("", help="A method, to see its hyper-parameters."),
    ) -> None:
        """What there is: methods, models, data sets, metrics, plans."""
        from benchmarks.errors import UnknownName

        if kind == "plans":
            print_table(["plan", "what it is"], list_plans())
        elif kind not in list(Kind):
            raise UnknownName("list", kind, choices)
        elif name and kind == Kind.methods:
            print_table(*describe_method(name))
        else:
            print_table(*list_entries(Kind(kind)))
