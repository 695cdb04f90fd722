"""Folder layouts: which folders are classes, training, validation and test images."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

from benchmarks.datasets.folders import Tree
from benchmarks.errors import DataError, shown

_SPLIT = re.compile(
    r"(?:(train)(?:ing)?|(test)(?:ing)?|eval(?:uation)?|(val)(?:id|idation)?|dev)"
    r"(?:[ _-]?(?:set|data|images|split))?",
    re.IGNORECASE,
)
_KINDS = ("train", "val", "test")
_LEAST = 0.05  # of the number of training images; fewer given validation images are not used as such


@dataclass(frozen=True)
class Part:
    """The training, the validation or the test images.

    Attributes:
        source: Their folders, for messages; "" if that is obvious.
        classes: Their classes by name.
    """

    source: str
    classes: dict[str, Tree]

    @property
    def count(self) -> int:
        return sum(tree.count for tree in self.classes.values())


@dataclass(frozen=True)
class Layout:
    """The images of a data set by classes.

    Attributes:
        validation: Validation images, of the classes of `train`; None if they are still to be drawn.
        test: Test images; None if they are still to be drawn from `train`.
        unused: Folders of a split that cannot be used, by their paths.
        labels: The files that name the classes; empty if the folders do.
        unlabelled: Paths of images without a class in these files.
    """

    train: Part
    validation: Part | None = None
    test: Part | None = None
    unused: dict[str, Tree] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()

    def parts(self) -> Iterator[Part]:
        """The parts that are given, without those to be drawn."""
        yield from (part for part in (self.train, self.validation, self.test) if part)


def layout(top: Tree) -> Layout:
    """The class folders below a folder, if there is only one way to read it.

    It contains class folders, or folders for training and for test (or validation) images that contain
    class folders, or the same one folder deeper; or each class folder contains folders for training and
    test images.

    Raises:
        DataError: if there are several ways to read it, or most of its images are outside class folders.
    """
    tree, path = _descended(top)
    arranged = _inside_classes(tree, path) or _arranged(tree, path)
    used = sum(part.count for part in arranged.parts())
    outside = top.count - used - sum(tree.count for tree in arranged.unused.values())
    if used and outside > used:
        where = sorted(f"'{shown(name)}'" for name in arranged.train.classes)[:2]
        raise DataError(
            f"{outside} of its {top.count} images are outside class folders, if {' and '.join(where)} are "
            "classes; put every image into the folder of its class, and only these folders next to each "
            "other"
        )
    return arranged


def split_of(name: str) -> str:
    """'train', 'test' or 'val' for a folder with a usual name of that split; otherwise ''."""
    match = _SPLIT.fullmatch(name)
    if match is None:
        return ""
    named = next((kind for kind in match.groups() if kind), "")
    return named.lower() or ("val" if name.lower().startswith("dev") else "test")


def divided(train: Part, validation: Part | None, test: Part | None) -> Layout:
    """The given parts as they are used.

    Validation images that are too few, or not of all classes, become training images. Without test images
    they become the test images.

    Raises:
        DataError: if the test or validation images have other classes than the training images.
    """
    if test is None:
        validation, test = None, validation
    if test is not None:
        _check_same(train, test, train.classes.keys() ^ test.classes.keys())
    if validation is None:
        return Layout(train, None, test)
    _check_same(train, validation, validation.classes.keys() - train.classes.keys())
    if _enough(train, validation):
        return Layout(train, validation, test)
    given = validation.classes
    joined = {
        name: Tree(folders={"train": tree, "val": given.get(name, Tree())})
        for name, tree in train.classes.items()
    }
    source = f"{train.source} and {validation.source} (which is too small to validate on)"
    return Layout(Part(source, joined), None, test)


def _check_same(train: Part, other: Part, odd: Iterable[str]) -> None:
    for name in sorted(odd)[:1]:
        whose = train if name in train.classes else other
        raise DataError(
            f"'{shown(train.source)}' and '{shown(other.source)}' must contain the same classes, but only "
            f"'{shown(whose.source)}' has '{shown(name)}'; add or remove it"
        )


def _enough(train: Part, validation: Part) -> bool:
    """Whether images can be validation images: some of every class, and enough of them."""
    every = all(name in validation.classes and validation.classes[name].count for name in train.classes)
    return every and validation.count >= _LEAST * train.count


def _arranged(tree: Tree, path: str) -> Layout:
    """Class folders, or folders of splits with class folders in them."""
    parts: dict[str, list[str]] = {}
    for name in filter(split_of, tree.filled):
        parts.setdefault(split_of(name), []).append(name)
    splits = [name for names in parts.values() for name in names]
    rest = [name for name in tree.filled if name not in splits]
    # Next to other class folders, a folder 'train' that directly contains pictures is a class
    usable = [
        name for name in splits if tree.filled[name].filled and not (rest and tree.filled[name].pictures)
    ]
    if not usable:
        return _flat(tree, path, splits)
    for names in parts.values():
        if len(names) > 1:
            raise DataError(f"it contains both {_listed(names, path)}; leave one of them")
    if rest:
        raise DataError(
            f"it contains {_listed(splits, path)} next to '{shown(path + rest[0])}', so that it is not clear "
            "which folders are classes; put all class folders into a folder 'train', or move the others away"
        )
    named = {split_of(name): name for name in usable}
    if "train" not in named:
        raise DataError(
            f"it contains {_listed(splits, path)}, but no folder 'train' with class folders; add it"
        )
    train = _part(tree, path, named["train"])
    others = (_part(tree, path, named[kind], train) if kind in named else None for kind in ("val", "test"))
    unused = {f"{path}{name}/": tree.filled[name] for name in splits if name not in usable}
    return replace(divided(train, *others), unused=unused)


def _part(tree: Tree, path: str, name: str, train: Part | None = None) -> Part:
    """The class folders in the folder of a split, or one folder deeper."""
    inner, path = _descended(tree.filled[name], f"{path}{name}/", train.classes if train else {})
    return Part(path, inner.folders)


def _flat(tree: Tree, path: str, splits: list[str]) -> Layout:
    """The folders in a folder as classes."""
    if len(splits) > 1 and len(splits) == len(tree.filled):
        raise DataError(
            f"{_listed(splits, path)} contain images, but no class folders; put one folder per class "
            "into each"
        )
    if not any(split_of(name) for name in path.split("/")):
        _check_no_splits(tree, path)
    return Layout(Part(path, tree.folders))


def _inside_classes(tree: Tree, path: str) -> Layout | None:
    """Class folders that all contain folders of splits, if the images are arranged like that."""
    parts: dict[str, dict[str, Tree]] = {}
    for name, inner in tree.filled.items():
        kinds = [split_of(folder) for folder in inner.filled]
        if inner.pictures or "train" not in kinds or not all(kinds) or len(set(kinds)) < len(kinds):
            return None
        for folder, pictures in inner.filled.items():
            parts.setdefault(split_of(folder), {})[name] = pictures
    if len(tree.filled) < 2 or any(split_of(name) for name in tree.filled):
        return None
    train, *others = (
        Part(f"{path}<class>/{kind}/", parts[kind]) if kind in parts else None for kind in _KINDS
    )
    return divided(train, *others) if train else None


def _check_no_splits(tree: Tree, path: str) -> None:
    """Refuse folders that all contain the same folders, which are more likely the classes."""
    outer = {name: part for name, part in tree.filled.items() if part.filled and not part.pictures}
    for first, second in combinations(outer, 2):
        both = list(outer[first].filled.keys() & outer[second].filled.keys())
        if len(both) > 1:
            raise DataError(
                f"'{shown(path + first)}' and '{shown(path + second)}' contain the same folders (such as "
                f"'{shown(min(both))}'), so that it is not clear which are classes; name the folders of "
                "training and test images 'train' and 'test', or put class folders into a folder 'train'"
            )


def _descended(tree: Tree, path: str = "", known: Container[str] = ()) -> tuple[Tree, str]:
    """The first folder on the way down that is more than a wrapper around another one, and its path.

    Args:
        known: Names of classes, if they are known.
    """
    while len(tree.filled) == 1:  # a single folder is not a data set yet
        ((name, inner),) = tree.filled.items()
        if not inner.filled or name in known:
            break
        tree, path = inner, f"{path}{name}/"
    return tree, path


def _listed(names: list[str], path: str) -> str:
    return " and ".join(f"'{shown(path + name)}'" for name in names)
