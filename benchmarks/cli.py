"""The commands `unlearn list` and `unlearn decode`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from benchmarks import completion
from benchmarks.listing import Listing, Rows, print_json, print_table

if TYPE_CHECKING:
    from benchmarks.datasets import DataSource


def list_methods() -> Listing:
    """The methods: access, tasks, searched hyper-parameters and summary."""
    from benchmarks.hyperparameters import declared
    from benchmarks.methods import methods

    def searched(params: type) -> list[str]:
        return [p.name for p in declared(params) if p.searched]

    header = ["method", "access", "tasks", "searched", "what it does"]
    return header, [[m.name, m.access.label, m.tasks, searched(m.Params), m.summary] for m in methods]


def list_models() -> Listing:
    """The networks and families of networks, and the smallest images that they take."""
    from benchmarks.models import models

    header = ["model", "smallest image", "what it is"]
    rows: Rows = [[m.name, f"{m.min_size} px", m.summary] for m in models]
    rows += [[f"{f.name}:{f.pattern}", None, f.summary] for f in models.families()]
    rows.append(["<model>@<size>", None, "any of them, built for another size; images are resized to it"])
    return header, rows


def list_datasets() -> Listing:
    """The data sets and families of data sets, their sizes, and the tasks that only some of them have."""
    from benchmarks.datasets import datasets

    def more(d: DataSource) -> list[str]:
        """The tasks that not every data set has."""
        tasks = {"sub_class": d.superclasses, "identities": d.identities}
        return [task for task, names in tasks.items() if names]

    header = ["data set", "classes", "images", "more tasks", "what it is"]
    rows: Rows = [
        [d.name, len(d.names(d.predicts)), f"{d.train_size}+{d.test_size}", more(d), d.summary]
        for d in datasets
    ]
    rows += [[f"{f.name}:{f.pattern}", None, None, [], f.summary] for f in datasets.families()]
    rows.append(
        ["<data set>@<size>", None, None, [], "so many training images of any of them, all classes alike"]
    )
    return header, rows


def list_metrics() -> Listing:
    """The metrics and their units, grouped by where they are measured."""
    from benchmarks.metrics import metrics

    header = ["metric", "unit", "measured", "what it says"]
    groups = {"always": "always", "benchmarks": "in benchmarks", "named": "if named"}
    order = list(groups)
    grouped = sorted(metrics, key=lambda m: order.index(m.measured))
    return header, [[m.name, m.unit, groups[m.measured], m.summary] for m in grouped]


def describe_method(name: str) -> Listing:
    """The hyper-parameters of a method.

    Raises:
        UnknownName: with the nearest names.
    """
    from benchmarks.hyperparameters import declared
    from benchmarks.methods import methods

    rows: Rows = []
    for p in declared(methods.get(name).Params):
        scale = " log" if p.log else ""
        limits = f"{p.low:g} to {p.high:g}{scale}" if p.has_range else " ".join(map(str, p.choices or ()))
        rows.append([p.name, p.default, limits, p.searched, p.doc])
    return ["hyper-parameter", "default", "range", "searched", "what it is"], rows


def list_presets() -> Listing:
    """The published values of all methods."""
    from benchmarks.methods import methods

    header = ["method", "preset", "paper", "data set", "model", "task", "source", "values"]
    return header, [
        [
            method.name,
            preset.name,
            preset.paper,
            preset.dataset,
            preset.model,
            preset.task,
            preset.source,
            preset.values,
        ]
        for method in methods
        for preset in method.presets
    ]


def register(
    app: typer.Typer, list_plans: Callable[[], Listing], describe_plan: Callable[[str], Listing]
) -> None:
    """Add this package's commands.

    Args:
        list_plans: Returns the content of `unlearn list plans`.
        describe_plan: Returns that of `unlearn list plans NAME`."""
    kinds = {
        "methods": list_methods,
        "models": list_models,
        "datasets": list_datasets,
        "metrics": list_metrics,
        "presets": list_presets,
        "plans": list_plans,
    }
    details = {"methods": describe_method, "plans": describe_plan}

    def names_of(ctx: typer.Context) -> list[str]:
        listed = {"presets": "methods"}.get(ctx.params["kind"], ctx.params["kind"])
        return [str(row[0]) for row in kinds[listed]()[1]] if listed in details else []

    @app.command("list")
    def list_command(
        kind: str = typer.Argument(
            ..., metavar="|".join(kinds), help="What to list.", autocompletion=lambda: list(kinds)
        ),
        name: str = typer.Argument(
            "",
            metavar="NAME",
            help="A method, to list its hyper-parameters or presets; a plan, to list its differences from "
            "the paper.",
            autocompletion=names_of,
        ),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
    ) -> None:
        """List methods, models, data sets, metrics, presets or plans.

        Presets are the published values of methods.
        """
        from benchmarks.errors import UnknownName

        if kind not in kinds:
            raise UnknownName("list", kind, kinds)
        header, rows = kinds[kind]()
        if name:
            if kind in details:
                header, rows = details[kind](name)
            else:
                describe_method(name)
                rows = [row for row in rows if row[0] == name]
        (print_json if as_json else print_table)(header, rows)

    @app.command()
    def decode(
        name: str = typer.Argument(
            ...,
            metavar="DATASET",
            help="A data set, such as image_folder:pets.",
            autocompletion=completion.dataset_names,
        ),
        skip_unreadable: bool = typer.Option(
            False, "--skip-unreadable", help="Leave out images that cannot be read."
        ),
    ) -> None:
        """Decode a data set's image files once, before a long run."""
        from benchmarks.datasets import data_folder, datasets, load
        from benchmarks.errors import DataError, shown

        source = datasets.get(name)
        if source.decode is None:
            raise DataError(f"data set '{name}' has no image files that are decoded beforehand; just use it")
        if source.note:
            typer.echo(source.note)
        done = source.decode(data_folder(), skip_unreadable)
        for file, why in done.skipped:
            typer.echo(f"left out: {shown(file)} ({why})")
        data = load(name)
        typer.echo(
            f"{name} is decoded: {len(data.train) + len(data.test)} images, "
            f"{len(done.skipped)} that cannot be read left out"
        )
