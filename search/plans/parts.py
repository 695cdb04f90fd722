"""The plans of a file: one for each of its parts, data sets and networks."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from search.errors import PlanError
from search.plans import limits
from search.plans.text import Document, Position

T = TypeVar("T")
_OF_THE_FILE = ("name", "parts", "scale", "checkpoint", "retrained")  # keys that a part cannot have


def parts(document: Document) -> Iterator[Document]:
    """A document for each entry of `parts`, whose keys replace those of the file; or the document itself.

    Raises:
        PlanError: for an entry without keys, or a key that only the whole file can have.
    """
    content = {key: value for key, value in document.content.items() if key != "parts"}
    if "parts" not in document.content:
        yield document
        return
    given = document.content["parts"]
    if not isinstance(given, dict) or not given:
        raise PlanError(
            f"{document.at('parts')}: 'parts' maps the name of each part to its keys, such as "
            "'sub_class: {task: sub_class, search: {forget: rocket}}'"
        )
    if len(given) > limits.PLANS:
        raise PlanError(f"{document.at('parts')}: these are more than {limits.PLANS} plans; split the file")
    for name, keys in given.items():
        at = document.at("parts", name)
        if not isinstance(keys, dict) or not keys:
            raise PlanError(f"{at}: the part '{name}' has no keys; say in what it differs from the others")
        for key in _OF_THE_FILE:
            if key in keys:
                raise PlanError(
                    f"{document.at('parts', name, key)}: '{key}' is the whole file's; write it above 'parts'"
                )
        named = {"name": f"{content['name']}-{name}"} if "name" in content else {}
        yield replace(
            document,
            content={**content, **keys, **named},
            lines=_of_part(document.lines, name, keys),
            changes=_of_part(document.changes, name, keys),
        )


def _of_part(known: Mapping[Position, T], name: str, keys: Mapping[str, Any]) -> dict[Position, T]:
    """The entries for a part: those of the file, except those that the part replaces."""
    above = {position: value for position, value in known.items() if not keys.keys() & set(position[:1])}
    return above | {
        position[2:]: value for position, value in known.items() if position[:2] == ("parts", name)
    }


def pairs(document: Document) -> Iterator[dict[str, Any]]:
    """The content for each pair of a data set and a model, with separate names if there are several.

    Raises:
        PlanError: for an empty list, or more pairs than a file may have.
    """
    content = document.content
    choices = {
        key: content[key] if isinstance(content.get(key), list) else [content.get(key)]
        for key in ("dataset", "model")
    }
    for key, given in choices.items():
        if not given:
            raise PlanError(f"{document.at(key)}: '{key}' is empty; name one or more")
    if math.prod(map(len, choices.values())) > limits.PLANS:
        raise PlanError(f"{document.at('model')}: these are more than {limits.PLANS} plans; split the file")
    for values in itertools.product(*choices.values()):
        named = [str(value) for value, key in zip(values, choices, strict=True) if len(choices[key]) > 1]
        suffixes = [re.sub(r"[^A-Za-z0-9._-]", "-", part) for part in named]
        pair = {key: value for key, value in zip(choices, values, strict=True) if key in content}
        name = "-".join([str(content.get("name")), *suffixes])
        yield {**content, **pair, **({"name": name} if suffixes and "name" in content else {})}
