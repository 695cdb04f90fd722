"""Folders with pictures: their content, for file names of any kind."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks.datasets.pictures import extensions
from benchmarks.errors import DataError, shown

_DEEPEST = 32  # nested folders
# Names of files that systems and programs create, in addition to hidden files
_LITTER = frozenset({"__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information"}) | {
    "lost+found",
    "thumbs.db",
    "desktop.ini",
}
METADATA = (
    "metadata.csv",
    "metadata.jsonl",
)  # files with the labels of images, as in image folders of Hugging Face
# Endings of picture formats that are not supported
_CAMERAS = {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2"}
_DRAWINGS = {".eps", ".pdf", ".psd", ".svg"}
_SCANS = {".dcm", ".nii"}
UNREAD = frozenset({".heic", ".heif", ".hif", ".jxl", ".tga", *_CAMERAS, *_DRAWINGS, *_SCANS})


@dataclass(frozen=True)
class Tree:
    """The pictures in a folder and below it; hidden files and litter do not count.

    Attributes:
        pictures: Paths of those directly in it, relative to the scanned folder.
        others: The number of files directly in it by other endings, in lower case with the dot, or "".
        folders: The folders directly in it by their names in composed Unicode, in order.
        metadata: Paths of the files directly in it that may contain the labels of pictures.
        litter: The number of hidden and system entries by name.
    """

    pictures: tuple[str, ...] = ()
    others: Counter[str] = field(default_factory=Counter)
    folders: dict[str, Tree] = field(default_factory=dict)
    metadata: tuple[str, ...] = ()
    litter: Counter[str] = field(default_factory=Counter)

    @cached_property
    def count(self) -> int:
        """The number of pictures in it and below."""
        return len(self.pictures) + sum(tree.count for tree in self.folders.values())

    @cached_property
    def filled(self) -> dict[str, Tree]:
        """Its folders that contain pictures at any depth, also in unsupported formats."""
        return {name: tree for name, tree in self.folders.items() if tree.count or tree.unread}

    @cached_property
    def unread(self) -> Counter[str]:
        """The number of pictures in unsupported formats in it and below, by the endings of their names."""
        every = (tree.others for tree in self.walk())
        return Counter({e: n for e, n in sum(every, Counter[str]()).items() if e in UNREAD})

    def walk(self) -> Iterator[Tree]:
        """This folder and all below it."""
        yield self
        for tree in self.folders.values():
            yield from tree.walk()

    def all_pictures(self) -> list[str]:
        """Paths of the pictures in it and below, in an order that ignores the encoding of accents."""
        return sorted((path for tree in self.walk() for path in tree.pictures), key=composed)


def scan(folder: Path) -> Tree:
    """The content of a folder; links are followed.

    Raises:
        DataError: if some of it cannot be read, a link leads back to a folder that it is in, or two names
            look the same.
    """
    return _scan(str(folder), "", ())


def class_folders(folder: Path) -> dict[str, list[str]]:
    """The folders in a folder -> the paths of all pictures in and below each, both in order."""
    return {name: tree.all_pictures() for name, tree in scan(folder).folders.items()}


def composed(name: str) -> str:
    """A name in composed Unicode: a single character for a letter with its accent."""
    return unicodedata.normalize("NFC", name)


def _scan(path: str, below: str, around: tuple[tuple[int, int], ...]) -> Tree:
    try:
        status = os.stat(path)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in around:
            raise DataError(f"{shown(path)} is a link that leads back to a folder around it; remove it")
        if len(around) > _DEEPEST:
            raise DataError(f"{shown(path)} is more than {_DEEPEST} folders deep; move its images up")
        with os.scandir(path) as entries:
            every = list(entries)
        visible = [entry for entry in every if not _is_litter(entry.name)]
        inner = [entry for entry in visible if entry.is_dir()]
    except OSError as error:
        raise DataError(
            f"{shown(path)} cannot be read ({error.strerror}); change that, or remove it"
        ) from error
    names = {entry.name for entry in inner}
    pictures, metadata, others = [], [], Counter[str]()
    for entry in visible:
        if entry.name in names:
            continue
        ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
        if ending in extensions():
            pictures.append(below + entry.name)
        elif entry.name.lower() in METADATA:
            metadata.append(below + entry.name)
        else:
            others[ending] += 1
    folders: dict[str, Tree] = {}
    for entry in sorted(inner, key=lambda entry: (composed(entry.name), entry.name)):
        name = composed(entry.name)
        if name in folders:
            both = " and ".join(ascii(n) for n in sorted(names) if composed(n) == name)
            raise DataError(
                f"two folders in {shown(path)} are called '{shown(name)}', with accents written in different "
                f"ways ({both}); rename one of them, or put their images together"
            )
        folders[name] = _scan(entry.path, f"{below}{entry.name}/", (*around, identity))
    litter = Counter(entry.name for entry in every if _is_litter(entry.name))
    return Tree(tuple(pictures), others, folders, tuple(sorted(metadata)), litter)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _LITTER
