"""`unlearn apply`: run one method with chosen hyper-parameters and store the unlearned network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.completion import method_names
from search.commands.options import PlanName, takes
from search.options import Options
from search.plans import limits

if TYPE_CHECKING:
    from search.models.application import Unlearned

Method = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="METHOD",
        help="The method; required if the plan has several.",
        autocompletion=method_names,
    ),
]
Forget = Annotated[
    str | None,
    typer.Option("--forget", metavar="SET", help="The forget set; required if the plan searches several."),
]
Params = Annotated[
    str | None,
    typer.Option(
        "--params",
        metavar="SOURCE",
        help="best, published, default, preset:NAME, trial:ID or NAME=VALUE,...; by default the first that "
        "exists of best, published and default.",
    ),
]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, max=limits.SEED, help="Seed of the method.")
]
To = Annotated[
    Path | None,
    typer.Option(
        "--to", metavar="FILE", help="Output file; by default model.safetensors, or model.pt with --torch."
    ),
]
Torch = Annotated[
    bool, typer.Option("--torch", help="Write a state dict with torch.save instead of safetensors.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]
Part = Annotated[
    str | None,
    typer.Option("--part", metavar="NAME", help="The plan, if the file has several: the end of its name."),
]
_SHOWN = ("forget_acc", "retain_acc", "mia")  # the card has all figures


@takes("results", "scale", "allow_code", "changes")
def apply(
    plan: PlanName,
    method: Method = None,
    forget: Forget = None,
    params: Params = None,
    seed: Seed = None,
    to: To = None,
    torch: Torch = False,
    overwrite: Overwrite = False,
    part: Part = None,
    *,
    options: Options,
) -> None:
    """Unlearn with one method; write the weights and a card.

    Runs one method on all training images except the validation images, and compares it on test images with
    the retrained and the original model. If the plan names your checkpoint, the weights keep its names. The
    card is a JSON file next to the weights that says how the model was made.
    """
    from benchmarks.errors import printable
    from search.models.application import unlearned
    from search.models.files import check_target, write_model
    from search.plans.files import load_part

    file = to or Path("model.pt" if torch else "model.safetensors")
    check_target(file, torch, overwrite)
    done = unlearned(
        load_part(plan, part, options.scale, options.allow_code, options.changes),
        method,
        forget=forget,
        params=params,
        seed=seed,
        results=options.results,
    )
    card = write_model(file, done.weights, done.card, torch)
    for line in (*summary(done), f"wrote {file} ({_size(file)}), and its card {card}"):
        typer.echo(printable(line))


def summary(done: Unlearned) -> tuple[str, str]:
    """A line on the run, and a line on its distance to the retrained model."""
    from benchmarks.hyperparameters import declared
    from benchmarks.methods import methods

    card = done.card
    declaration = declared(methods.get(card["method"]).Params)
    shown = [p.name for p in declaration if p.searched or card["parameters"][p.name] != p.default]
    values = ", ".join(f"{name} {_number(card['parameters'][name])}" for name in shown)
    what = (
        f"{card['method']} made {card['network']} forget {card['forget']} "
        f"({_images(card['forget_count'])} of {card['dataset']}) in {card['unlearn_s']:.2f} s, with "
        f"{done.chosen.phrase}{f': {values}' if values else ''}"
    )
    models = [card["figures"][model] for model in ("unlearned", "retrained", "original")]
    figures = [f"{name} {' / '.join(_percent(model[name]) for model in models)}" for name in _SHOWN]
    return what, (
        f"{', '.join(figures)} (% of unlearned / retrained / original); distance to retraining: gap "
        f"{_percent(card['gap'])}, of the original {_percent(models[-1]['gap'])}"
    )


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.1f} MB"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(apply)
