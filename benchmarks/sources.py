"""A digest of user-defined code (methods, metrics, networks), which changes with every edit."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

_PACKAGES = ("analysis", "benchmarks", "cluster", "search", "unlearnbench")  # identified by their version
_INSTALLED = ("site-packages", "dist-packages")


def source_digest(definition: Any) -> str:
    """A digest of the code of a user-defined class or function, 12 hex digits; "" for built-in ones.

    It covers the module of the definition and the neighbouring modules that it imports, directly or not;
    of an installed package only the modules of that package. Comments and formatting do not count.
    """
    definition = _definition(definition)
    name = definition.__module__
    if name.partition(".")[0] in _PACKAGES:
        return ""
    path = Path(getattr(sys.modules.get(name), "__file__", None) or "").absolute()
    digest = hashlib.sha256()
    if path.is_file():
        base = path.parents[name.count(".") + (path.stem == "__init__")]
        for module, code in sorted(_imported(name, path, base).items()):
            digest.update(f"{module}\n{len(code)}\n".encode() + code)
    else:  # defined in a notebook
        digest.update(inspect.getsource(definition).encode())
    return digest.hexdigest()[:12]


def _definition(definition: Any) -> Any:
    """The class or function behind decorators, partial calls and callable objects."""
    while True:
        definition = inspect.unwrap(definition)
        if isinstance(definition, partial):
            definition = definition.func
        elif inspect.isclass(definition) or inspect.isroutine(definition):
            return definition
        else:
            return type(definition)


def _imported(name: str, path: Path, base: Path) -> dict[str, bytes]:
    """The code of a module, and of all modules below a folder that it needs, by module name."""
    modules: dict[str, bytes] = {}
    waiting = [(name, path)]
    while waiting:
        name, path = waiting.pop()
        if name in modules:
            continue
        if path.suffix != ".py":
            modules[name] = path.read_bytes()
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:  # a file next to the user's module that is never imported
            modules[name] = path.read_bytes()
            continue
        modules[name] = ast.unparse(tree).encode()
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for needed in {*_names(tree, package), *_parents(name)}:
            top = needed.partition(".")[0]
            if top in _PACKAGES or (base.name in _INSTALLED and top != name.partition(".")[0]):
                continue
            file = base.joinpath(*needed.split("."))
            waiting += [
                (needed, candidate)
                for candidate in (file.with_suffix(".py"), file / "__init__.py")
                if candidate.is_file()
            ]
    return modules


def _names(tree: ast.Module, package: str) -> Iterator[str]:
    """All names in a module's import statements that may be modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
                yield from _parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
                yield from _parents(base)
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _parents(name: str) -> Iterator[str]:
    """The packages that are imported before a module."""
    parts = name.split(".")
    yield from (".".join(parts[:end]) for end in range(1, len(parts)))
