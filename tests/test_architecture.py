"""Packages import only what they may import; checked on the source, without importing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("analysis", "benchmarks", "cluster", "search")


class Import(NamedTuple):
    """An imported module, the importing file, and whether the import happens when the file is imported."""

    file: str
    module: str
    at_import: bool

    def within(self, *packages: str) -> bool:
        return any(self.module == p or self.module.startswith(f"{p}.") for p in packages)


def imports_of(source: str, file: str) -> Iterator[Import]:
    """All imports in a source text except those under TYPE_CHECKING."""

    def visit(node: ast.AST, at_import: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                yield from visit(child, at_import)
            return
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(file, name.name, at_import)
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            if node.level:
                parents = file.split("/")[: -node.level]
                package = ".".join([*parents, package]).strip(".")
            yield from (Import(file, f"{package}.{name.name}", at_import) for name in node.names)
        inside = at_import and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    return visit(ast.parse(source), True)


def imports(package: str) -> list[Import]:
    return [
        imported
        for path in sorted((ROOT / package).rglob("*.py"))
        for imported in imports_of(path.read_text(), str(path.relative_to(ROOT)))
    ]


def broken(imported: list[Import]) -> list[str]:
    return [f"{i.file} imports {i.module}" for i in imported]


@pytest.mark.parametrize("package", ["analysis", "benchmarks", "cluster"])
def test_analysis_benchmarks_and_cluster_do_not_import_each_other(package: str) -> None:
    others = [other for other in PACKAGES if other != package]
    assert not broken([i for i in imports(package) if i.within(*others)])


@pytest.mark.parametrize("package", ["benchmarks", "cluster"])
def test_only_search_imports_optuna(package: str) -> None:
    assert not broken([i for i in imports(package) if i.within("optuna")])


def test_analysis_imports_optuna_late_and_never_its_samplers() -> None:
    imported = [i for i in imports("analysis") if i.within("optuna")]
    assert not broken([i for i in imported if i.at_import or i.within("optuna.samplers")])


@pytest.mark.parametrize("package", ["analysis", "benchmarks", "cluster"])
def test_only_search_imports_ray_tune(package: str) -> None:
    assert not broken([i for i in imports(package) if i.within("ray.tune", "ray.train")])


def test_only_cluster_imports_ray_core() -> None:
    for package in ("analysis", "benchmarks"):
        assert not broken([i for i in imports(package) if i.within("ray")])
    core = [i for i in imports("search") if i.within("ray") and not i.within("ray.tune")]
    assert not broken(core)


def test_the_command_imports_packages_only_after_it_has_ordered_the_path() -> None:
    imported = imports("unlearnbench")
    assert [i.module for i in imported if i.within(*PACKAGES)] == ["search.cli.main"]
    assert not broken([i for i in imported if i.at_import and i.within(*PACKAGES)])


def test_analysis_never_imports_torch() -> None:
    assert not broken([i for i in imports("analysis") if i.within("torch", "torchvision")])


def test_modules_of_listed_entries_do_not_import_torch() -> None:
    listed = [
        i
        for i in imports("benchmarks")
        if i.file.split("/")[1] in ("methods", "metrics", "datasets", "models") and i.at_import
    ]
    assert listed
    heavy = ("torch", "torchvision", "sklearn", "benchmarks.images", "benchmarks.evaluation")
    assert not broken([i for i in listed if i.within(*heavy)])


def test_methods_share_code_through_the_toolbox_only() -> None:
    of_methods = [i for i in imports("benchmarks") if i.file.startswith("benchmarks/methods/")]
    allowed = ("benchmarks.methods.base", "benchmarks.methods.methods")
    assert of_methods
    assert not broken([i for i in of_methods if i.within("benchmarks.methods") and not i.within(*allowed)])


def test_imports_are_read_from_a_source() -> None:
    source = """
import ray.tune as tune
from ray import train
from . import sibling
if TYPE_CHECKING:
    import torch
else:
    import early
def f():
    from optuna.samplers import TPESampler
class C:
    import inside
"""
    imported = list(imports_of(source, "search/module.py"))
    assert imported == [
        ("search/module.py", "ray.tune", True),
        ("search/module.py", "ray.train", True),
        ("search/module.py", "search.sibling", True),
        ("search/module.py", "early", True),
        ("search/module.py", "optuna.samplers.TPESampler", False),
        ("search/module.py", "inside", True),
    ]
    assert imported[0].within("ray")
    assert not imported[0].within("ra")


# Constructors of a plan import the readers that build it, but only when they are called
BACK = {
    ("search.plans.plan", "search.plans.files"),
    ("search.plans.plan", "search.plans.arguments"),
}


def modules() -> dict[str, Path]:
    """All modules of the project by their dotted names."""
    paths = {}
    for package in (*PACKAGES, "unlearnbench"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            paths[name.removesuffix(".__init__")] = path
    return paths


def known_modules(path: Path, known: Mapping[str, Path]) -> set[str]:
    """The project's modules that a file imports: at once, late, or for its types."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{name.name}" for name in node.names}
            names |= {name if name in known else node.module for name in full}
    return names & known.keys()


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of a graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_modules_do_not_import_each_other_in_circles() -> None:
    known = modules()
    graph = {name: known_modules(path, known) - {name} for name, path in known.items()}
    assert len(graph) > 300
    assert {pair for pair in BACK if pair[1] in graph[pair[0]]} == BACK, "an exception is no longer needed"
    for module, imported in BACK:
        graph[module].discard(imported)
    assert not circle(graph)


def test_folders_of_packages_do_not_import_each_other_in_circles() -> None:
    """Files outside the folders are left out: they are a package's interface and vocabulary."""
    known = modules()

    def folder(name: str) -> str:
        parts = known[name].relative_to(ROOT).parts
        return "/".join(parts[:2]) if len(parts) > 2 else ""

    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        graph.setdefault(folder(name), set()).update(folder(m) for m in known_modules(path, known))
    del graph[""]
    assert len(graph) > 25
    assert not circle({name: imported - {name, ""} for name, imported in graph.items()})


def test_circles_are_found_in_a_graph() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
