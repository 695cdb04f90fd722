"""Picture files of any format, mode and size, read as square RGB images."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.datasets.contents import contents, opened
from benchmarks.datasets.threads import threads
from benchmarks.errors import DataError, shown

if TYPE_CHECKING:
    from PIL.Image import Image

Resize = Callable[["Image", int], "Image"]

MOST_PIXELS = 2**26  # of a picture; decoding takes up to 16 bytes for each
_LARGE = 2**23  # pixels of a picture; larger pictures are decoded in turn
_large_picture_lock = Lock()
_READ = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")


class Unreadable(DataError):
    """A file that is not a picture, or is broken."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"{shown(str(self.path))} cannot be read ({self.why}); repair or replace it"


def central(image: Image, side: int) -> Image:
    """The central square, antialiased: the shorter side is resized and the longer side cropped."""
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)


def inner(image: Image, side: int) -> Image:
    """The usual test image of ImageNet: the shorter side resized to 8/7 of `side`, then a central crop."""
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR, bleed=1 / 16)


def stretched(image: Image, side: int) -> Image:
    """The whole picture made square, by the nearest pixels."""
    from PIL import Image

    return image.resize((side, side), Image.Resampling.NEAREST)


def read(path: Path, side: int, resize: Resize) -> np.ndarray:
    """The uint8 pixels of one picture, shape (side, side, 3); of an animation its first frame.

    Transparency is dropped, and the EXIF orientation is ignored, as in torchvision.

    Raises:
        Unreadable: if the file is not a picture, or is broken.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with opened(path) as file, Image.open(file, formats=list(_formats())) as image:
            pixels = image.width * image.height
            if pixels > MOST_PIXELS:
                raise Image.DecompressionBombError  # Pillow raises it at twice as many pixels and more
            with _large_picture_lock if pixels > _LARGE else nullcontext():
                square = np.asarray(resize(rgb(image), side))
    except UnidentifiedImageError as error:
        raise Unreadable(path, f"its content is not {', '.join(_formats())}") from error
    except Image.DecompressionBombError as error:
        limit = f"{MOST_PIXELS / 1e6:.0f} million"
        raise Unreadable(path, f"it has more than {limit} pixels, which are the limit") from error
    except Exception as error:  # PIL's decoders raise many kinds of exceptions for a broken file
        why = error.strerror if isinstance(error, OSError) else None
        raise Unreadable(path, why or " ".join(str(error).split()) or type(error).__name__) from error
    return square


def rgb(image: Image) -> Image:
    """A picture of any mode as RGB.

    Raises:
        ValueError: for pixels whose range is not known.
    """
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floats, whose range is not known")
    if image.mode == "I" and image.format != "PPM":
        raise ValueError("its pixels have 32 bits, whose range is not known")
    if image.mode.startswith("I"):  # 16 bits per pixel; the conversion of PIL would cut off at 255
        grey = np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:  # PIL warns about the direct conversion
        image = image.convert("RGBA")
    return image.convert("RGB")


@cache
def _formats() -> dict[str, set[str]]:
    """The supported formats that the installed Pillow can read -> the endings of their files.

    Other formats are not photographs, or reading them starts another program (Ghostscript for EPS).
    """
    from PIL import Image

    Image.init()
    endings = {name: set[str]() for name in _READ if name in Image.OPEN}
    for ending, name in Image.registered_extensions().items():
        if name in endings:
            endings[name].add(ending)
    return endings


@cache
def extensions() -> frozenset[str]:
    """Endings of picture files, in lower case with the dot."""
    return frozenset().union(*_formats().values())


@dataclass(frozen=True, eq=False)
class Stream:
    """Pictures that are read on request; see `Pixels`.

    Attributes:
        folder: Their folder.
        names: Their paths below it, as bytes of a fixed length, shape (n,), to save memory.
        cache: The file that keeps the digest of their contents.
    """

    folder: Path
    names: np.ndarray
    cache: Path
    side: int
    resize: Resize

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.names), self.side, self.side, 3)

    @cached_property
    def digest(self) -> str:
        files = contents(self.folder, [os.fsdecode(name) for name in self.names], self.cache)
        return f"{self.resize.__name__} {self.side} {files}"

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        pixels = np.empty((len(index), *self.shape[1:]), np.uint8)

        def fill(position: int) -> None:
            path = self.folder / os.fsdecode(self.names[index[position]])
            pixels[position] = read(path, self.side, self.resize)

        with threads() as pool:
            list(pool.map(fill, range(len(index))))
        return pixels
