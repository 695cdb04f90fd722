"""An inventory of an image folder: the files that are used and those that are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.datasets.folders import UNREAD, Tree
from benchmarks.datasets.layouts import Layout
from benchmarks.errors import shown

_KINDS = 4  # of unused files that a message names
_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})
_STORES = frozenset(
    {".arrow", ".h5", ".hdf5", ".mat", ".npy", ".npz", ".parquet", ".tfrecord"}
)  # formats of whole data sets


@dataclass(frozen=True)
class LeftOut:
    """Files that are not in a data set for one reason.

    Attributes:
        what: The kind of files, the reason, and advice if there is a remedy.
    """

    count: int
    what: str

    def __str__(self) -> str:
        return f"{self.count} {self.what}"


def left_out(top: Tree, layout: Layout) -> list[LeftOut]:
    """All files below a folder that a layout does not use; a hidden folder counts as a single file.

    Args:
        top: The folder.
    """
    return [reason for reason in _reasons(top, layout) if reason.count]


def _reasons(top: Tree, layout: Layout) -> Iterator[LeftOut]:
    for path, tree in layout.unused.items():
        yield LeftOut(tree.count, f"{_images(tree.count)} in {shown(path)}, which contains no class folders")
    labels = " and ".join(map(shown, layout.labels))
    count = len(layout.unlabelled)
    yield LeftOut(count, f"{_images(count)} without a label in {labels}{_such_as(layout.unlabelled)}")
    outside = _outside(top, layout)
    yield LeftOut(len(outside), f"{_images(len(outside))} outside class folders{_such_as(outside)}")
    others = sum((tree.others for tree in top.walk()), Counter[str]())
    unused = {path for tree in top.walk() for path in tree.metadata} - set(layout.labels)
    others.update(path[path.rindex(".") :].lower() for path in unused)
    advice = {
        **dict.fromkeys(UNREAD, "convert to JPEG or PNG"),
        **dict.fromkeys(_ARCHIVES, "unpack"),
        **dict.fromkeys(_STORES, "a function of yours can, import:MODULE:FUNCTION"),
    }
    for ending in sorted(others.keys() & advice.keys()):
        yield LeftOut(others[ending], f"{ending} {_files(others[ending])} (not read: {advice[ending]})")
    rest = Counter({ending: count for ending, count in others.items() if ending not in advice})
    yield LeftOut(rest.total(), f"other {_files(rest.total())} ({_kinds(rest, 'no ending')})")
    litter = sum((tree.litter for tree in top.walk()), Counter[str]())
    yield LeftOut(litter.total(), f"hidden or system {_files(litter.total())} ({_kinds(litter)})")


def _outside(top: Tree, layout: Layout) -> list[str]:
    """Paths of images outside all classes."""
    used = {path for part in layout.parts() for tree in part.classes.values() for path in tree.all_pictures()}
    used.update(path for tree in layout.unused.values() for path in tree.all_pictures())
    used.update(layout.unlabelled)
    return [path for path in top.all_pictures() if path not in used]


def _such_as(paths: Iterable[str]) -> str:
    first = next(iter(paths), "")
    return f", such as {shown(first)}" if first else ""


def _images(count: int) -> str:
    return "image" if count == 1 else "images"


def _files(count: int) -> str:
    return "file" if count == 1 else "files"


def _kinds(counts: Counter[str], nameless: str = "") -> str:
    """The most frequent of some kinds of files."""
    kinds = sorted(counts.items(), key=lambda kind: (-kind[1], kind[0]))
    few = ", ".join(f"{shown(kind) or nameless} {count}" for kind, count in kinds[:_KINDS])
    return f"{few}, ..." if len(kinds) > _KINDS else few
