"""A plan as it is sent to a cluster: with the files that it names, under new names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.scenarios.forget_files import PREFIX, is_file, path_of
from benchmarks.weights.files import read_sets
from cluster.jobs import Parcel
from search.errors import PlanError
from search.plans.changes import OPTION
from search.plans.files import load
from search.plans.sources import source, text_of
from search.plans.text import PlanLoader, Position, read

_WEIGHTS = ("checkpoint", "retrained")  # keys of a plan that name a file, or are a mapping with one
_FORGETTING = ("search", "benchmark")  # sections with forget sets, which may be files


def parcel(plan: str, allow_code: bool = False, changes: Sequence[str] = ()) -> Parcel:
    """A plan to send, checked here as far as this machine can.

    Args:
        changes: Changes for the command on the cluster; they cannot name files of this machine.

    Raises:
        PlanError: as `load` does.
        DataError: if a file with weights has other content.
    """
    for change in changes:
        key, _, value = change.partition("=")
        if key.startswith(_WEIGHTS) or PREFIX in value:
            raise PlanError(f"{OPTION} {change}: a file is not sent along; write its path into the plan")
    load(plan, allow_code=allow_code, changes=changes)
    text = text_of(plan)
    content = read(text, plan).content
    files: dict[str, Path] = {}
    for key in _WEIGHTS:
        given = content.get(key)
        position: Position = (key, "file") if isinstance(given, dict) else (key,)
        written = given.get("file") if isinstance(given, dict) else given
        if written is not None:
            path = Path(written)
            read_sets(path)
            name = f"{key}.safetensors" if path.suffix == ".safetensors" else f"{key}.pt"
            files[name] = path
            text = _replaced(text, position, name)
    names: dict[Path, str] = {}
    for position, forget in _listed(content):
        path = source(plan).parent / path_of(forget)
        name = names.setdefault(path, f"images{len(names) + 1}.txt")
        files[name] = path
        text = _replaced(text, position, f"{PREFIX}{name}")
    return Parcel(content["name"], text, files)


def _listed(content: dict[str, Any]) -> Iterator[tuple[Position, str]]:
    """The forget sets that are files, each with its position."""
    for section in _FORGETTING:
        given = (content.get(section) or {}).get("forget")
        sets = (
            {(): given} if isinstance(given, str) else {(i,): forget for i, forget in enumerate(given or ())}
        )
        for position, forget in sets.items():
            if is_file(forget):
                yield (section, "forget", *position), forget


def _replaced(text: str, position: Position, value: str) -> str:
    """The plan with another text at a position, otherwise unchanged."""
    root = yaml.compose(text, Loader=PlanLoader)
    assert root is not None
    node = _node(root, position)
    old = text[node.start_mark.index : node.end_mark.index]
    new = text[: node.start_mark.index] + value + old[len(old.rstrip()) :] + text[node.end_mark.index :]
    expected = read(text, "plan").content
    holder: Any = expected
    for key in position[:-1]:
        holder = holder[key]
    holder[position[-1]] = value
    try:
        if read(new, "plan").content == expected:
            return new
    except PlanError:  # the path was an anchor
        pass
    raise PlanError(
        f"'{'.'.join(map(str, position))}' cannot be sent as it is written; write the path of the file "
        "itself there"
    )


def _node(node: yaml.Node, position: Position) -> yaml.Node:
    """The node at a position."""
    for key in position:
        if isinstance(node, yaml.MappingNode):
            node = next(value for name, value in node.value if name.value == key)
        else:
            node = node.value[key]
    return node
