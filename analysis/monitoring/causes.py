"""Errors in one line, and the text that errors of the same cause share."""

from __future__ import annotations

import re

_LONGEST = 300


def error_line(error: object) -> str:
    """An error as one line of limited length."""
    text = " ".join(str(error or "no reason was recorded").split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def cause(error: object) -> str:
    """The text of an error without numbers and addresses."""
    return re.sub(r"\b(0x)?[0-9a-f]{8,}\b|[-+]?\d[\d.,]*(e[-+]?\d+)?|\b(nan|inf)\b", "#", error_line(error))
