"""Files that list the training images to forget, one per line, such as a deletion request.

A line is an index into the data set's training images, from 0 and in the order in which they are loaded (the
column `image` of the table of samples), or the path of an image file, or the end of the path if it is unique
among the images. Blank lines and lines that begin with # do not count.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.datasets.base import DataSource
from benchmarks.errors import InvalidScenario, shown, suggest
from benchmarks.scenarios.splits import validation_size

PREFIX = "file:"  # before the path in the forget set of a plan or a scenario
_SEARCHED = 20_000  # the largest number of names to search for the nearest ones
_LONGEST_INDEX = 15  # digits


def is_file(forget: str) -> bool:
    """Whether a forget set is a file that lists images."""
    return forget.startswith(PREFIX)


def path_of(forget: str) -> Path:
    """The path in `file:PATH`."""
    return Path(forget.removeprefix(PREFIX).strip())


def read(forget: str, source: DataSource) -> tuple[int, ...]:
    """The indices of the images that a file lists, ascending.

    Args:
        forget: `file:PATH`.

    Raises:
        InvalidScenario: with file and line, for a file that cannot be read or lists nothing, an unknown
            image, a test image, an image that is listed twice, or more images than can be forgotten.
        DataError: for names, if the files of the data set are missing.
    """
    path = path_of(forget)
    files = _Files(source)
    line_of: dict[int, int] = {}
    for number, text in _entries(path):
        try:
            image = _index(text, source) if _is_index(text) else files.find(text)
            if image in line_of:
                raise InvalidScenario(
                    f"'{shown(text)}' is the image of line {line_of[image]} again; remove one"
                )
        except InvalidScenario as error:
            raise InvalidScenario(f"{path}:{number}: {error}") from None
        line_of[image] = number
    if not line_of:
        raise InvalidScenario(
            f"{path} does not list an image; write indices of training images or names of their files, "
            "one per line"
        )
    try:
        return checked(line_of, source)
    except InvalidScenario as error:
        raise InvalidScenario(f"{path}: {error}") from None


def checked(images: Iterable[int], source: DataSource) -> tuple[int, ...]:
    """Indices of training images, ascending.

    Raises:
        InvalidScenario: for invalid indices, or too many of them.
    """
    indices = sorted({int(image) for image in images})
    for image in (indices[0], indices[-1]):
        _index(str(image), source)
    most = source.train_size - validation_size(source) - 1
    if len(indices) > most:
        raise InvalidScenario(
            f"{len(indices)} of the {source.train_size} training images of '{source.name}' are to be "
            f"forgotten; at most {most} can be, as {validation_size(source)} are held out for validation and "
            "some must remain for training"
        )
    return tuple(indices)


def digested(images: Sequence[int]) -> str:
    """The name of a set of images, whose indices ascend, by its content: `ids-<count>-<digest>`."""
    content = np.array(images, dtype="<i8").tobytes()
    return f"ids-{len(images)}-{hashlib.sha256(content).hexdigest()[:12]}"


def _entries(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank or comments, each with its number from 1."""
    try:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file '{path}'")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InvalidScenario(
            f"'{PREFIX}{path}' cannot be read ({error}); write a text file that lists images, one per line"
        ) from None
    for number, line in enumerate(text.split("\n"), start=1):
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield number, entry


def _is_index(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _index(text: str, source: DataSource) -> int:
    index = int(text) if len(text) <= _LONGEST_INDEX else -1
    if not 0 <= index < source.train_size:
        raise InvalidScenario(
            f"'{source.name}' has no training image {text}; its indices go from 0 to {source.train_size - 1}"
        )
    return index


class _Files:
    """The image files of a data set, listed on first use."""

    def __init__(self, source: DataSource) -> None:
        self._source = source

    def find(self, name: str) -> int:
        """The index of the training image whose path equals a name, or is the only path that ends with it.

        Raises:
            InvalidScenario: with the valid values.
        """
        train, by_name = self._train
        images = _ending_in(name, train, by_name)
        if len(images) == 1:
            return images[0]
        dataset = self._source.name
        if images:
            few = " and ".join(f"'{shown(train[i])}'" for i in images[:2])
            raise InvalidScenario(
                f"'{shown(name)}' could be {len(images)} training images of '{dataset}', such as {few}; "
                "write more of the path"
            )
        if _ending_in(name, *self._test):
            raise InvalidScenario(
                f"'{shown(name)}' is a test image of '{dataset}', which is not used for training; remove it"
            )
        like = suggest(name, train) if len(train) <= _SEARCHED else f"they look like '{shown(train[0])}'"
        raise InvalidScenario(f"'{dataset}' has no training image '{shown(name)}'; {like}")

    @cached_property
    def _train(self) -> tuple[tuple[str, ...], dict[str, list[int]]]:
        return _by_name(self._both[0])

    @cached_property
    def _test(self) -> tuple[tuple[str, ...], dict[str, list[int]]]:
        return _by_name(self._both[1])

    @cached_property
    def _both(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        source = self._source
        if source.files is None:
            raise InvalidScenario(
                f"'{source.name}' has no file names; write indices, from 0 to {source.train_size - 1}"
            )
        return source.files()


def _by_name(paths: Sequence[str]) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Paths in composed Unicode, and the positions of those with a file name."""
    composed = tuple(unicodedata.normalize("NFC", path) for path in paths)
    positions: dict[str, list[int]] = defaultdict(list)
    for position, path in enumerate(composed):
        positions[_file_name(path)].append(position)
    return composed, positions


def _ending_in(name: str, paths: Sequence[str], by_name: dict[str, list[int]]) -> list[int]:
    """Positions of the path that equals a name, otherwise of all paths that end with it."""
    name = unicodedata.normalize("NFC", name).removeprefix("./")
    ending = [
        i for i in by_name.get(_file_name(name), ()) if paths[i] == name or paths[i].endswith(f"/{name}")
    ]
    return [i for i in ending if paths[i] == name] or ending


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]
