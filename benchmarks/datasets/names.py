"""Class names that are valid in a plan, a table and a terminal."""

from __future__ import annotations

import unicodedata

from benchmarks.errors import DataError, shown

_UNWRITABLE = frozenset({"Cc", "Zl", "Zp"})  # Unicode's control characters and line ends
_REORDERING = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)  # they reorder the text around them


def check_class(c: str) -> None:
    """Raise DataError for a name that could not be written in a plan or a table, or would be misread."""
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in c):
        raise DataError(f"the class name '{shown(c)}' is not UTF-8; rename it")
    if any(unicodedata.category(letter) in _UNWRITABLE or letter in _REORDERING for letter in c):
        raise DataError(f"the class name '{shown(c)}' contains an invisible character; rename it")
    if "+" in c or ">" in c or " | " in c or c != c.strip():
        raise DataError(
            f"the class name '{shown(c)}' must not contain '+', '>' or ' | ', which join forget "
            "classes, or begin or end with a space; rename it"
        )
