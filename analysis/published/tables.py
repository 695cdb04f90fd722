"""The printed tables and figures without a plan, and the plans whose results they show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}


@dataclass(frozen=True)
class PrintedTable:
    """A printed table or figure without its own plan.

    Attributes:
        what: The content of the table or figure.
        plans: The shipped plans that run its experiment; none if it does not show an experiment.
        then: The command that computes the table from their runs; "" if running them is enough.
    """

    name: str
    what: str
    plans: tuple[str, ...] = ()
    then: str = ""

    @property
    def location(self) -> str:
        """The plans that run its experiment, with the commands."""
        if not self.plans:
            return f"{self.name} does not show an experiment that can be run: {self.what}"
        commands = [*(f"unlearn run {plan}" for plan in self.plans), *([self.then] if self.then else [])]
        return f"{self.name} is part of {' and '.join(self.plans)}: {', then '.join(commands)}"


@cache
def printed_tables() -> dict[str, PrintedTable]:
    """Every printed table and figure without its own plan, by name, in the order of the papers."""
    text = (files("analysis.published") / "tables.yaml").read_text(encoding="utf-8")
    return {
        name: PrintedTable(name, entry["what"], tuple(entry.get("plans", ())), entry.get("then", ""))
        for name, entry in yaml.safe_load(text).items()
    }


def plain_name(name: str) -> str:
    """The name of a printed table as plans have it: `zero-shot-table7` for `zero-shot-tableVII`."""
    parts = re.fullmatch(r"(.*-(?:table|figure))([ivx]+)", name.lower())
    return f"{parts[1]}{_ROMAN[parts[2]]}" if parts and parts[2] in _ROMAN else name.lower()
