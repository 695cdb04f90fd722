"""The error of this package; its message is one line that says what to do."""

from __future__ import annotations


class AnalysisError(Exception):
    """Results that cannot be read or shown as asked: what is wrong, what is valid, what to do."""
