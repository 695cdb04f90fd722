"""Untrusted YAML: a text of a few bytes must not take gigabytes of memory, or overflow the stack."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.composer import ComposerError

DEEPEST = 40  # levels
MOST_VALUES = 20_000  # an alias counts as all the values that it stands for


class GuardedLoader(yaml.SafeLoader):
    """A loader that refuses documents that are nested too deeply, or that aliases make too large."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth = 0
        self._values = 0
        self._sizes: dict[str, int] = {}  # values that an anchor stands for

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        alias = isinstance(event, yaml.AliasEvent)
        if alias and event.anchor in self.anchors and event.anchor not in self._sizes:
            self._refuse(f"'*{event.anchor}' refers to itself", event)
        before = self._values
        self._values += self._sizes.get(event.anchor, 1) if alias else 1
        self._depth += 1
        if self._values > MOST_VALUES:
            self._refuse(f"there are more than {MOST_VALUES} values", event)
        if self._depth > DEEPEST:
            self._refuse(f"it is nested more than {DEEPEST} levels deep", event)
        if not alias:
            self._sizes.pop(event.anchor, None)  # of an earlier document
        node = super().compose_node(parent, index)
        self._depth -= 1
        if event.anchor and not alias:
            self._sizes[event.anchor] = self._values - before
        return node

    @staticmethod
    def _refuse(problem: str, event: Any) -> None:
        raise ComposerError(None, None, problem, event.start_mark)
