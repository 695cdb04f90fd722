"""YAML of strangers: no text of a few bytes may take gigabytes, or more of the stack than there is."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.composer import ComposerError

DEEPEST = 40  # levels
MOST_VALUES = 20_000  # aliases counted as what they stand for


class GuardedLoader(yaml.SafeLoader):
    """A loader that refuses documents which are nested too deeply, or grow too large by aliases."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth = 0
        self._values = 0
        self._sizes: dict[str, int] = {}  # of what an anchor stands for

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        alias = isinstance(event, yaml.AliasEvent)
        if alias and event.anchor in self.anchors and event.anchor not in self._sizes:
            self._refuse(f"'*{event.anchor}' stands for itself", event)
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
