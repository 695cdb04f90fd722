"""What the command line changes of a plan, `--set search.trials=5`, before the plan is checked as a whole."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.errors import suggest
from search.errors import PlanError
from search.plans.text import Document, Place, read

OPTION = "--set"


def changed(document: Document, changes: Sequence[str]) -> Document:
    """A plan with other values at some keys.

    A key that its parts have for themselves is changed in each of them, so that it holds for the whole file.

    Args:
        changes: `KEY=VALUE` each: keys joined by dots, and a value as YAML has it in one line.

    Raises:
        PlanError: for a change that is not one, or a key below one that holds a value.
    """
    for change in changes:
        place, value = _parsed(change)
        said = f"{OPTION} {change}"
        content = copy.deepcopy(document.content)
        places = list(_places(content, place, said))
        for each in places:
            _put(content, each, value, said)
        lines = {at: line for at, line in document.lines.items() if not _within(at, places)}
        earlier = {at: text for at, text in document.changes.items() if not _within(at, places)}
        above = [each[:depth] for each in places for depth in range(1, len(each))]
        own = [*places, *(at for at in above if at not in lines and at not in earlier)]
        document = replace(document, content=content, lines=lines, changes=earlier | dict.fromkeys(own, said))
    return document


def _parsed(change: str) -> tuple[Place, Any]:
    key, equals, text = change.partition("=")
    place = tuple(part.strip() for part in key.split("."))
    said = f"{OPTION} {change}"
    if not equals or not all(place):
        raise PlanError(f"{said}: write {OPTION} KEY=VALUE, such as {OPTION} search.trials=5")
    try:
        return place, read(f"value: {text}", said).content["value"]
    except PlanError as error:
        problem = str(error).removeprefix(f"{said}:1: ")
        raise PlanError(
            f"{said}: {problem}; put a value with a colon or a quotation mark into quotes"
        ) from None


def _places(content: Mapping[str, Any], place: Place, said: str) -> Iterator[Place]:
    """Where a key stands: in the file, and in the parts that have its section for themselves."""
    parts = content.get("parts")
    known = parts if isinstance(parts, dict) else {}
    if place[0] == "parts" and len(place) > 1 and place[1] not in known:
        raise PlanError(f"{said}: the plan has no part '{place[1]}'; {suggest(str(place[1]), known)}")
    yield place
    for name, own in known.items():
        if isinstance(own, dict) and place[0] in own:
            yield ("parts", name, *place)


def _put(content: dict[str, Any], place: Place, value: Any, said: str) -> None:
    holder: Any = content
    for depth, key in enumerate(place[:-1], 1):
        if holder.get(key) is None:
            holder[key] = {}
        holder = holder[key]
        if not isinstance(holder, dict):
            above = ".".join(map(str, place[:depth]))
            raise PlanError(
                f"{said}: '{above}' holds a value and no keys of its own; set '{above}' as a whole"
            )
    holder[place[-1]] = value


def _within(place: Place, others: Sequence[Place]) -> bool:
    return any(place[: len(other)] == other for other in others)
