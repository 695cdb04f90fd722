"""The printed tables and figures that have no plan of their own, and the plans that they are a part of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}


@dataclass(frozen=True)
class PrintedTable:
    """A printed table or figure without a plan of its own.

    Attributes:
        what: What print shows there.
        plans: The shipped plans whose experiment it is a part of; none where it holds no experiment.
        then: The command that makes of their runs what print shows; "" where running them is enough.
    """

    name: str
    what: str
    plans: tuple[str, ...] = ()
    then: str = ""

    @property
    def location(self) -> str:
        """Where its experiment lies, and what runs it."""
        if not self.plans:
            return f"{self.name} holds no experiment that can be run: {self.what}"
        commands = [*(f"unlearn run {plan}" for plan in self.plans), *([self.then] if self.then else [])]
        return f"{self.name} lies in {' and '.join(self.plans)}: {', then '.join(commands)}"


@cache
def printed_tables() -> dict[str, PrintedTable]:
    """Every printed table and figure without a plan of its own, by name, paper by paper."""
    text = (files("analysis.published") / "tables.yaml").read_text(encoding="utf-8")
    return {
        name: PrintedTable(name, entry["what"], tuple(entry.get("plans", ())), entry.get("then", ""))
        for name, entry in yaml.safe_load(text).items()
    }


def plain_name(name: str) -> str:
    """The name of a printed table as plans have it: `zero-shot-table7` for `zero-shot-tableVII`."""
    parts = re.fullmatch(r"(.*-(?:table|figure))([ivx]+)", name.lower())
    return f"{parts[1]}{_ROMAN[parts[2]]}" if parts and parts[2] in _ROMAN else name.lower()
