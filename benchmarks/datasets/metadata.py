"""Classes from a file `metadata.csv` or `metadata.jsonl`, as in image folders of Hugging Face."""

from __future__ import annotations

import csv
import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.datasets.folders import Tree, composed
from benchmarks.datasets.layouts import Layout, Part, divided, split_of
from benchmarks.errors import DataError, shown

_FILE, _LABEL = "file_name", "label"


def labelled(folder: Path, top: Tree) -> Layout | None:
    """The images below a folder by their classes in its metadata files.

    Folders of splits, such as `train` and `test`, determine the split; other folders have no meaning.

    Args:
        folder: The folder of the files.
        top: Its content.

    Returns:
        None if there are no such files or none of them has labels; the folders are then the classes.

    Raises:
        DataError: for a file that cannot be read or has invalid rows.
    """
    files = [path for tree in top.walk() for path in tree.metadata]
    read = {path: list(_rows(folder, path)) for path in files}
    used = tuple(path for path, rows in read.items() if any(_LABEL in row for _, row in rows))
    if not used:
        return None
    pictures = {composed(path): path for path in top.all_pictures()}
    label_of: dict[str, str] = {}
    for path in used:
        for where, row in read[path]:
            image, label = _image(path, where, row), _label(where, row)
            if image not in pictures and not (folder / image).is_file():
                raise DataError(f"{where}: there is no file '{shown(image)}'; add it, or remove the row")
            if image not in pictures or not label:
                continue
            known = label_of.setdefault(pictures[image], label)
            if known != label:
                raise DataError(
                    f"{where}: '{shown(image)}' has the label '{shown(label)}', and in another row "
                    f"'{shown(known)}'; keep one of them"
                )
    unlabelled = tuple(path for path in pictures.values() if path not in label_of)
    return replace(_divided(label_of), labels=used, unlabelled=unlabelled)


def _divided(label_of: Mapping[str, str]) -> Layout:
    """Labelled pictures by the folders of splits that they are in."""
    if not label_of:
        raise DataError("its metadata has no label of an existing image; check its column 'file_name'")
    folders: dict[str, dict[str, list[str]]] = {}
    for path, label in label_of.items():
        folders.setdefault(_split_folder(path), {}).setdefault(label, []).append(path)
    parts: dict[str, Part] = {}
    for source, classes in sorted(folders.items()):
        kind = split_of(source.rstrip("/").rpartition("/")[2]) or "train"
        if kind in parts:
            before = parts[kind].source or "the folder itself"
            raise DataError(
                f"labelled images are in both '{shown(before)}' and '{shown(source)}'; put those of "
                "one split into one folder"
            )
        parts[kind] = Part(source, {label: Tree(tuple(classes[label])) for label in sorted(classes)})
    if "train" not in parts:
        raise DataError("none of its labelled images is in a folder 'train'; add it")
    return divided(parts["train"], parts.get("val"), parts.get("test"))


def _split_folder(path: str) -> str:
    """The path of the outermost split folder that contains a file; "" if there is none."""
    folders = path.split("/")[:-1]
    depth = next((i for i, name in enumerate(folders, start=1) if split_of(name)), 0)
    return "".join(f"{name}/" for name in folders[:depth])


def _image(path: str, where: str, row: Mapping[str, Any]) -> str:
    """The path of a row's image relative to the folder, in composed Unicode."""
    name = row.get(_FILE)
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{where}: there is no '{_FILE}', which names the image; columns: {_few(row)}")
    image = posixpath.normpath(posixpath.join(posixpath.dirname(path), name.strip()))
    if image.startswith(("/", "../")):
        raise DataError(f"{where}: '{shown(name)}' is outside the data set's folder; move the file into it")
    return composed(image)


def _label(where: str, row: Mapping[str, Any]) -> str:
    """The class of a row's image; "" if it has none."""
    label = row.get(_LABEL)
    if label is None:
        return ""
    if isinstance(label, bool) or not isinstance(label, (str, int)):
        raise DataError(
            f"{where}: the label {label!r} is neither a text nor a whole number; an image has one class"
        )
    return composed(str(label).strip())


def _rows(folder: Path, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a metadata file, each with its position for messages."""
    try:
        with (folder / path).open(encoding="utf-8-sig", newline="") as file:
            if path.lower().endswith(".csv"):
                table = csv.DictReader(file, strict=True)
                for row in table:
                    yield f"{shown(path)}:{table.line_num}", row
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    where = f"{shown(path)}:{number}"
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise DataError(
                            f'{where}: a line must be an object such as {{"{_FILE}": ..., "{_LABEL}": ...}}'
                        )
                    yield where, row
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{shown(path)} cannot be read ({error}); repair or remove it") from error


def _few(row: Mapping[str, Any]) -> str:
    return ", ".join(shown(str(name)) for name in list(row)[:8]) or "none"
