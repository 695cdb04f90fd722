"""Changes of a plan on the command line, `--set search.trials=5`, before the plan is checked."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.errors import suggest
from search.errors import PlanError
from search.plans.text import Document, Position, read

OPTION = "--set"


def changed(document: Document, changes: Sequence[str]) -> Document:
    """A plan with other values at some keys.

    A key that parts have themselves is changed in each of them, so that the change applies to the whole file.

    Args:
        changes: `KEY=VALUE` each: keys joined by dots, and a value in YAML on a single line.

    Raises:
        PlanError: for text that is not a change, or a key below a key that has a value.
    """
    for change in changes:
        position, value = _parsed(change)
        option = f"{OPTION} {change}"
        content = copy.deepcopy(document.content)
        positions = list(_positions(content, position, option))
        for each in positions:
            _put(content, each, value, option)
        lines = {at: line for at, line in document.lines.items() if not _within(at, positions)}
        earlier = {at: text for at, text in document.changes.items() if not _within(at, positions)}
        above = [each[:depth] for each in positions for depth in range(1, len(each))]
        changed_positions = [*positions, *(at for at in above if at not in lines and at not in earlier)]
        document = replace(
            document, content=content, lines=lines, changes=earlier | dict.fromkeys(changed_positions, option)
        )
    return document


def _parsed(change: str) -> tuple[Position, Any]:
    key, equals, text = change.partition("=")
    position = tuple(part.strip() for part in key.split("."))
    option = f"{OPTION} {change}"
    if not equals or not all(position):
        raise PlanError(f"{option}: write {OPTION} KEY=VALUE, such as {OPTION} search.trials=5")
    try:
        return position, read(f"value: {text}", option).content["value"]
    except PlanError as error:
        problem = str(error).removeprefix(f"{option}:1: ")
        raise PlanError(
            f"{option}: {problem}; put a value with a colon or a quotation mark into quotes"
        ) from None


def _positions(content: Mapping[str, Any], position: Position, option: str) -> Iterator[Position]:
    """The positions of a key: in the file, and in the parts that have their own section of that name."""
    parts = content.get("parts")
    known = parts if isinstance(parts, dict) else {}
    if position[0] == "parts" and len(position) > 1 and position[1] not in known:
        raise PlanError(f"{option}: the plan has no part '{position[1]}'; {suggest(str(position[1]), known)}")
    yield position
    for name, section in known.items():
        if isinstance(section, dict) and position[0] in section:
            yield ("parts", name, *position)


def _put(content: dict[str, Any], position: Position, value: Any, option: str) -> None:
    holder: Any = content
    for depth, key in enumerate(position[:-1], 1):
        if holder.get(key) is None:
            holder[key] = {}
        holder = holder[key]
        if not isinstance(holder, dict):
            above = ".".join(map(str, position[:depth]))
            raise PlanError(f"{option}: '{above}' has a value instead of keys; set '{above}' as a whole")
    holder[position[-1]] = value


def _within(position: Position, others: Sequence[Position]) -> bool:
    return any(position[: len(other)] == other for other in others)
