"""A plan as it is sent to a cluster: beside it the weights that it names, under names that no code has."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.weight_files import read_sets
from cluster.jobs import Parcel
from search.errors import PlanError
from search.plan_files import load, text_of
from search.plan_text import PlanLoader, read

_WEIGHTS = ("checkpoint", "retrained")  # keys of a plan that name a file, or are a mapping with one


def parcel(plan: str, allow_code: bool = False) -> Parcel:
    """A plan to send, checked here as far as this machine can.

    Raises:
        PlanError: as `load` does.
        DataError: if a file with weights holds anything else.
    """
    load(plan, allow_code=allow_code)
    text = text_of(plan)
    nodes = _children(yaml.compose(text, Loader=PlanLoader))
    files = {}
    for key in _WEIGHTS:
        node = nodes.get(key)
        file = _children(node).get("file", node)
        if isinstance(file, yaml.ScalarNode) and not file.tag.endswith(":null"):
            path = Path(file.value)
            read_sets(path)
            name = f"{key}.safetensors" if path.suffix == ".safetensors" else f"{key}.pt"
            files[name] = path
            text = _replaced(text, key, name)
    return Parcel(nodes["name"].value, text, files)


def _replaced(text: str, key: str, name: str) -> str:
    """The plan with another file at a key, and otherwise as it stands."""
    node = _children(yaml.compose(text, Loader=PlanLoader))[key]
    file = _children(node).get("file", node)
    old = text[file.start_mark.index : file.end_mark.index]
    new = text[: file.start_mark.index] + name + old[len(old.rstrip()) :] + text[file.end_mark.index :]
    expected = dict(read(text, key).content)
    section = expected[key]
    expected[key] = {**section, "file": name} if isinstance(section, dict) else name
    try:
        if read(new, key).content == expected:
            return new
    except PlanError:  # the path was an anchor's
        pass
    raise PlanError(f"'{key}' cannot be sent as it is written; write the path of the file itself there")


def _children(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
