"""Names of classes, methods and presets as harmless text: any characters in them are shown, never executed.

Three readers interpret text: terminals and HTML pages obey control characters, Markdown its marks, and
spreadsheets cells that begin with `=`. For Matplotlib, the fourth, see `analysis.drawing.backend`.
"""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories of invisible characters
_JOINERS = "\u200c\u200d"  # part of words in Persian and Hindi, and of emoji
_MARKS = re.compile(
    r"[`*|$~<\\]"  # code, emphasis, cells, mathematics, strikethrough, HTML, escapes
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis, unless inside a word
    r"|&(?=#?\w+;)"  # entities
    r"|\](?=[(\[:])"  # links
)
_FORMULA = re.compile(r"[=+\-@\uff1d\uff0b\uff0d\uff20]")


def printable(text: str) -> str:
    """Text on one line, in which every character is visible: control characters, line breaks and marks that
    change the direction of writing become escapes (`\\n`, `\\x1b`, `\\u202e`)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if _is_unseen(c) else c for c in text)


def markdown(text: str) -> str:
    """Text that Markdown prints as it is, also in a cell of a pipe table."""
    return _MARKS.sub(r"\\\g<0>", printable(text))


def spreadsheet(text: str) -> str:
    """Text that a spreadsheet does not read as a formula: after an apostrophe if it begins like one."""
    shown = printable(text)
    return f"'{shown}" if _FORMULA.match(shown) else shown


def _is_unseen(c: str) -> bool:
    return unicodedata.category(c) in _UNSEEN and c not in _JOINERS


def _escape(c: str) -> str:
    return c.encode("unicode_escape").decode("ascii")
