"""The error of this package; its message is one line that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from analysis.text.names import printable


class AnalysisError(Exception):
    """Results that cannot be read or shown as requested: what is wrong, what is valid, what to do.

    The message is always one line: control characters in names are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def unknown(what: str, name: str, known: Collection[str]) -> AnalysisError:
    """The error for an unknown name, with the nearest known name, or all of them."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}"
    return AnalysisError(f"unknown {what} '{name}'; {hint}")
