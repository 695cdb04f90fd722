"""Which folders are classes, training and test images, as people arrange them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import combinations

from benchmarks.datasets.folders import Tree
from benchmarks.errors import DataError, shown

_SPLIT = re.compile(r"(?:(train)(?:ing)?|(test)(?:ing)?|(val)(?:id|idation)?)(?:[ _-]?set)?", re.IGNORECASE)
_ENDINGS = 4  # that a note names


@dataclass(frozen=True)
class Layout:
    """The class folders of a data set.

    Attributes:
        train: The classes of the training images, by name.
        test: The same classes with test images; None where those are yet to be drawn from `train`.
        note: What was taken and what was left out, one line; "" where that goes without saying.
    """

    train: dict[str, Tree]
    test: dict[str, Tree] | None
    note: str


def layout(top: Tree) -> Layout:
    """The class folders below a folder, where there is only one way to read it.

    Class folders lie in it, in folders for training and for test (or validation) images, or the same one
    folder deeper.

    Raises:
        DataError: if there are several ways to read it.
    """
    tree, path = _descended(top)
    parts: dict[str, list[str]] = {}
    for name in filter(_split, tree.filled):
        parts.setdefault(_split(name), []).append(name)
    splits = [name for names in parts.values() for name in names]
    rest = [name for name in tree.filled if name not in splits]
    # Beside other class folders, a folder 'train' with pictures right in it is a class
    divided = [
        name for name in splits if tree.filled[name].filled and not (rest and tree.filled[name].pictures)
    ]
    if not divided:
        return _flat(top, tree, path, splits)
    for names in parts.values():
        if len(names) > 1:
            raise DataError(f"it holds both {_listed(names, path)}; leave one of them")
    if rest:
        raise DataError(
            f"it holds {_listed(splits, path)} beside '{shown(path + rest[0])}', so that it is not clear "
            "which folders are classes; put all class folders into a folder 'train', or move the others away"
        )
    usable = {_split(name): name for name in divided}
    if "train" not in usable:
        raise DataError(f"it holds {_listed(splits, path)}, but no folder 'train' with class folders; add it")
    held_out = usable.get("test", usable.get("val"))
    train, train_path = _descended(tree.filled[usable["train"]], f"{path}{usable['train']}/")
    note, classes = _taken(train_path), train.folders
    test = None
    if held_out:
        part, test_path = _descended(tree.filled[held_out], f"{path}{held_out}/")
        note, test = (
            f"training images from {shown(train_path)}, test images from {shown(test_path)}",
            part.folders,
        )
    left = {name: tree.filled[name] for name in splits if name not in (usable["train"], held_out)}
    return Layout(classes, test, _note(note, top, [*classes.values(), *(test or {}).values()], path, left))


def _flat(top: Tree, tree: Tree, path: str, splits: list[str]) -> Layout:
    """The folders in a folder as classes."""
    if len(splits) > 1 and len(splits) == len(tree.filled):
        raise DataError(
            f"{_listed(splits, path)} hold images, but no class folders; put one folder per class into each"
        )
    if not any(_split(name) for name in path.split("/")):
        _check_no_splits(tree, path)
    return Layout(
        tree.folders, None, _note(_taken(path) if path else "", top, list(tree.folders.values()), path, {})
    )


def _taken(path: str) -> str:
    return f"classes from {shown(path)}, a fifth of each becomes test images"


def _check_no_splits(tree: Tree, path: str) -> None:
    """Refuse folders that all hold the same folders, which are the classes more likely."""
    outer = {name: part for name, part in tree.filled.items() if part.filled and not part.pictures}
    for first, second in combinations(outer, 2):
        both = list(outer[first].filled.keys() & outer[second].filled.keys())
        if len(both) > 1:
            raise DataError(
                f"'{shown(path + first)}' and '{shown(path + second)}' hold the same folders (such as "
                f"'{shown(min(both))}'), so that it is not clear which are classes; call the folders of "
                "training and test images 'train' and 'test', or put class folders into a folder 'train'"
            )


def _split(name: str) -> str:
    """'train', 'test' or 'val' for a folder that is called so in one way or another; else ''."""
    match = _SPLIT.fullmatch(name)
    return next(kind for kind in match.groups() if kind).lower() if match else ""


def _descended(tree: Tree, path: str = "") -> tuple[Tree, str]:
    """The first folder on the way down that is more than a wrapper around another one, and its path."""
    while len(tree.filled) == 1:  # which is no data set yet
        ((name, inner),) = tree.filled.items()
        if not inner.filled:
            break
        tree, path = inner, f"{path}{name}/"
    return tree, path


def _note(taken: str, top: Tree, classes: list[Tree], path: str, left: dict[str, Tree]) -> str:
    """What was taken and what was left out, such as the splits `left`."""
    parts = [
        f"{shown(path + name)}/ ({tree.count}{'' if tree.filled else ', without class folders'})"
        for name, tree in left.items()
    ]
    outside = top.count - sum(tree.count for tree in (*classes, *left.values()))
    if outside:
        parts.append(f"images outside class folders ({outside})")
    others = sum((tree.others for c in classes for tree in c.walk()), Counter[str]())
    if others:
        kinds = sorted(others.items(), key=lambda kind: (-kind[1], kind[0]))
        few = ", ".join(f"{shown(ending) or 'no ending'} {n}" for ending, n in kinds[:_ENDINGS])
        more = ", ..." if len(kinds) > _ENDINGS else ""
        parts.append(f"files that are not images ({few}{more})")
    return "; ".join(filter(None, [taken, f"left out: {', '.join(parts)}" if parts else ""]))


def _listed(names: list[str], path: str) -> str:
    return " and ".join(f"'{shown(path + name)}'" for name in names)
