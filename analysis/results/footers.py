"""The footers of Parquet files without the Arrow schema, which is most of them.

pyarrow also stores the schema of a table as a text, with the descriptions of the columns: 110 kB for trials.
Decoding it takes half of the time of opening a file of a few hundred rows, and the files of one version
have the same text.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

ARROW = b"ARROW:schema"
_MARK = b"PAR1"
_END = 8  # bytes after a footer: its size and the mark
# Thrift's compact protocol, in which footers are written, starts a text with 0x18, its length and its bytes
_BEFORE = b"\x18\x0c" + ARROW + b"\x18"
_EMPTY = b"\x18\x00\x18\x00"  # instead of the key and the text
LEFT_OUT = b""  # the key that pyarrow finds then


@dataclass(frozen=True)
class ArrowSchema:
    """The Arrow schema in a file.

    Attributes:
        start, end: Where its key and text begin and end in the file, in bytes.
        text: The schema in base64.
    """

    file: pa.Buffer
    start: int
    end: int
    text: bytes

    def left_out(self) -> pa.Buffer:
        """The file without the text; pyarrow then takes the columns' types from Parquet's own schema."""
        content = memoryview(self.file)
        footer = len(content) - _END
        size = int.from_bytes(content[footer : footer + 4], "little") - (self.end - self.start) + len(_EMPTY)
        end = size.to_bytes(4, "little") + _MARK
        return pa.py_buffer(b"".join([content[: self.start], _EMPTY, content[self.end : footer], end]))


def arrow_schema(file: pa.Buffer) -> ArrowSchema | None:
    """The Arrow schema in a file; None if there is none, or if the file is damaged there."""
    content = memoryview(file)
    stop = len(content) - _END
    size = int.from_bytes(content[stop : stop + 4], "little") if stop > 0 else 0
    if not 0 < size <= stop or content[stop + 4 :] != _MARK:
        return None
    footer = bytes(content[stop - size : stop])
    start = footer.rfind(_BEFORE)
    if start < 0:
        return None
    at = start + len(_BEFORE)
    length = bits = 0
    while at < size:  # seven bits of the length a byte, the last of which is below 128
        length |= (footer[at] & 0x7F) << bits
        at, bits = at + 1, bits + 7
        if footer[at - 1] < 0x80 and at + length <= size:
            first = stop - size
            return ArrowSchema(file, first + start, first + at + length, footer[at : at + length])
        if footer[at - 1] < 0x80 or bits > 28:
            break
    return None
