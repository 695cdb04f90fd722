"""`unlearn show`: a page about anything that has a name, or a plan to copy."""

from __future__ import annotations

from typing import Annotated

import typer

from search import completion

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A method, network, data set, metric or plan.",
        autocompletion=completion.everything,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def show(name: Name, as_json: Json = False) -> None:
    """Describe a method, network, data set, metric or plan.

    A plan is printed unchanged, to copy it: unlearn show demo > mine.yaml
    """
    from analysis.published.tables import plain_name, printed_tables
    from benchmarks.errors import UnknownName
    from benchmarks.listing import print_object
    from benchmarks.pages import known_names, pages, print_page
    from search.plans.sources import is_plan, shipped, text_of

    matches = pages(name)
    if matches and as_json:
        print_object(matches[0].as_object() if len(matches) == 1 else [page.as_object() for page in matches])
    elif matches:
        for page in matches:
            print_page(page)
    elif is_plan(name) or plain_name(name) in printed_tables():
        text = text_of(name)
        if as_json:
            print_object({"kind": "plan", "name": name, "yaml": text})
        else:
            typer.echo(text, nl=False)
    else:
        raise UnknownName("name", name, [*known_names(), *shipped(), *printed_tables()])


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(show)
