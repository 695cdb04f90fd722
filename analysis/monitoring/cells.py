"""Text for columns of a terminal: shortened with an ellipsis if it does not fit, and progress bars."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

_MORE = "\N{HORIZONTAL ELLIPSIS}"


def cut_end(text: str, width: int) -> str:
    """The text, or its beginning with an ellipsis if it does not fit."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + _MORE


def cut_middle(text: str, width: int) -> str:
    """The text, or its beginning and end if it does not fit; the end distinguishes it from others."""
    if cell_len(text) <= width:
        return text
    end = text
    while cell_len(end) > max(width - 1, 0) // 3:
        end = end[1:]
    return set_cell_size(text, max(width - 1 - cell_len(end), 0)).rstrip() + _MORE + end


def bar(done: float, total: float, width: int) -> str:
    """The share that is done as a bar of blocks."""
    full = int(width * done / total) if total else 0
    return "\N{FULL BLOCK}" * full + "\N{LIGHT SHADE}" * (width - full)
