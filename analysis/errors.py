"""The error of this package; its message is one line that says what to do."""

from __future__ import annotations

from analysis.text import printable


class AnalysisError(Exception):
    """Results that cannot be read or shown as asked: what is wrong, what is valid, what to do.

    The message is one line whatever the names in it are: control characters stand as escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
