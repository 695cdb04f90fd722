"""The text of a plan: YAML in which every scalar is text, with the line of every value.

The key decides the meaning of a scalar, not the spelling: `01` stays the class "01", `1e-5` is a number if
the key takes a number, and a date, `0x` or `=` is ordinary text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from cluster.guarded_yaml import GuardedLoader
from search.errors import PlanError

Position = tuple[str | int, ...]
_NULL = "tag:yaml.org,2002:null"
_TEXT = "tag:yaml.org,2002:str"
UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # categories of control characters, half characters, line breaks


@dataclass(frozen=True)
class Document:
    """A plan as it was written.

    Attributes:
        content: Mappings, lists and text; None for empty values.
        name: The name of the file in messages.
        lines: The line of every position, from 1.
        changes: The option of the command line, `--set KEY=VALUE`, for each position that it changes.
    """

    content: dict[str, Any]
    name: str
    lines: Mapping[Position, int]
    changes: Mapping[Position, str] = field(default_factory=dict)

    def at(self, *position: str | int) -> str:
        """File and line of a position, or of the nearest position around it; or the option that sets it."""
        while position and position not in self.lines and position not in self.changes:
            position = position[:-1]
        return self.changes.get(position) or f"{self.name}:{self.lines.get(position, 1)}"


def read(text: str, name: str) -> Document:
    """The content of a plan's text; `name` is used in messages.

    Raises:
        PlanError: one line with file, line and reason.
    """
    try:
        root = yaml.compose(text, Loader=PlanLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise PlanError(
            f"{name}:{line}: not valid YAML: a character that cannot be printed (U+{error.character:04X})"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        problem = error.problem or ""
        if problem.startswith("but"):
            problem = f"{error.context}, {problem}"
        raise PlanError(f"{where}: not valid YAML: {problem}") from None
    except Exception as error:  # PyYAML's scanner has many kinds of errors for unexpected text
        raise PlanError(f"{name}: not valid YAML: {error}") from None
    if not isinstance(root, yaml.MappingNode):
        raise PlanError(f"{name}: a plan is a list of 'key: value' lines, beginning with 'name: ...'")
    reader = _Reader(name)
    return Document(reader.value(root, ()), name, reader.lines)


class PlanLoader(GuardedLoader):
    """Nodes of plans: without tags, and with scalars that are text or null."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag == _NULL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        tag = getattr(event, "tag", None)
        if tag not in (None, _TEXT):
            self._refuse(f"'{tag}': a tag has no meaning in a plan", event)
        return super().compose_node(parent, index)


class _Reader:
    """Reads values from nodes; remembers the line of each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Position, int] = {}

    def value(self, node: yaml.Node, position: Position) -> Any:
        self.lines.setdefault(position, _line(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, position)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*position, i)) for i, child in enumerate(node.value)]
        return None if node.tag == _NULL else self._text(node)

    def _mapping(self, node: yaml.MappingNode, position: Position) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, "a key is a word, not a list or a mapping")
            key = self._text(key_node)
            if key in content:
                where = ".".join(map(str, (*position, key)))
                lines = f"{self.lines[*position, key]} and {_line(key_node)}"
                self._refuse(key_node, f"'{where}' is given twice, on lines {lines}; keep one of them")
            self.lines[*position, key] = _line(key_node)
            content[key] = self.value(value_node, (*position, key))
        return content

    def _text(self, node: yaml.Node) -> str:
        text = str(node.value).strip()
        if any(unicodedata.category(character) in UNPRINTABLE for character in text):
            self._refuse(node, f"'{text}' contains a control character; write it without")
        return text

    def _refuse(self, node: yaml.Node, problem: str) -> NoReturn:
        raise PlanError(f"{self.name}:{_line(node)}: {problem}")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
