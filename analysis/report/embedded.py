"""The packed content of a page: its data, and the library that draws them in a browser."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from analysis.errors import AnalysisError
from analysis.text.names import printable

_DIGITS = 4  # more are visible neither in a picture nor in its hover text


def packed(content: str | bytes) -> Markup:
    """Text as gzip in base 85, for a script element; equal texts give equal codes. `figures.js` unpacks it.

    The first character is the number of zeros that fill up the last four bytes. Four bytes are five digits,
    which are the characters from `(` to `|`, with `}` instead of `<`; base64 would be 7 % longer.
    """
    raw = content.encode() if isinstance(content, str) else content
    code = gzip.compress(raw, compresslevel=9, mtime=0)
    fill = -len(code) % 4
    words = np.frombuffer(code + bytes(fill), ">u4").astype(np.uint32)
    digits = np.empty((len(words), 5), np.uint8)
    for digit in reversed(range(5)):
        words, digits[:, digit] = np.divmod(words, np.uint32(85))
    digits += ord("(")
    digits[digits == ord("<")] = ord("}")
    return Markup(f"{fill}{digits.tobytes().decode('ascii')}")


def as_json(value: object) -> str:
    """JSON for browsers: numbers with four digits, null for infinite and missing ones, printable text."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@cache
def plotly() -> Markup:
    """The script of Plotly, packed.

    Raises:
        AnalysisError: if the package plotly is not installed.
    """
    spec = find_spec("plotly")  # its import would take as long as a small report
    if spec is None or spec.origin is None:
        raise AnalysisError("the report needs plotly; install it with 'pip install plotly'")
    return packed((Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes())


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, str):
        return printable(value)
    if value is None or value is pd.NA:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        rounded = float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
        return int(rounded) if rounded is not None and rounded.is_integer() else rounded
    if isinstance(value, Iterable):
        return [_plain(part) for part in value]
    return str(value)
