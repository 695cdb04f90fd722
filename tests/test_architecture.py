"""The rooms of the house know only what they may know; checked on the source, without importing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("analysis", "benchmarks", "cluster", "search")


class Import(NamedTuple):
    """One imported module: where, what, and whether it happens as the file is imported."""

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


def imports(room: str) -> list[Import]:
    return [
        found
        for path in sorted((ROOT / room).rglob("*.py"))
        for found in imports_of(path.read_text(), str(path.relative_to(ROOT)))
    ]


def broken(found: list[Import]) -> list[str]:
    return [f"{i.file} imports {i.module}" for i in found]


@pytest.mark.parametrize("room", ["analysis", "benchmarks", "cluster"])
def test_the_ground_floor_rooms_do_not_know_each_other(room: str) -> None:
    others = [other for other in ROOMS if other != room]
    assert not broken([i for i in imports(room) if i.within(*others)])


@pytest.mark.parametrize("room", ["benchmarks", "cluster"])
def test_only_search_imports_optuna(room: str) -> None:
    assert not broken([i for i in imports(room) if i.within("optuna")])


def test_analysis_imports_optuna_late_and_never_its_samplers() -> None:
    found = [i for i in imports("analysis") if i.within("optuna")]
    assert not broken([i for i in found if i.at_import or i.within("optuna.samplers")])


@pytest.mark.parametrize("room", ["analysis", "benchmarks", "cluster"])
def test_only_search_imports_ray_tune(room: str) -> None:
    assert not broken([i for i in imports(room) if i.within("ray.tune", "ray.train")])


def test_only_cluster_imports_ray_core() -> None:
    for room in ("analysis", "benchmarks"):
        assert not broken([i for i in imports(room) if i.within("ray")])
    core = [i for i in imports("search") if i.within("ray") and not i.within("ray.tune")]
    assert not broken(core)


def test_the_command_imports_no_room_before_it_has_ordered_the_path() -> None:
    found = imports("unlearnbench")
    assert [i.module for i in found if i.within(*ROOMS)] == ["search.cli.main"]
    assert not broken([i for i in found if i.at_import and i.within(*ROOMS)])


def test_analysis_never_imports_torch() -> None:
    assert not broken([i for i in imports("analysis") if i.within("torch", "torchvision")])


def test_what_is_listed_does_not_import_torch() -> None:
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


def test_the_reading_of_imports_itself() -> None:
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
    found = list(imports_of(source, "search/module.py"))
    assert found == [
        ("search/module.py", "ray.tune", True),
        ("search/module.py", "ray.train", True),
        ("search/module.py", "search.sibling", True),
        ("search/module.py", "early", True),
        ("search/module.py", "optuna.samplers.TPESampler", False),
        ("search/module.py", "inside", True),
    ]
    assert found[0].within("ray")
    assert not found[0].within("ra")


# Constructors of a plan, which import the readers that build it only when they are called
BACK = {
    ("search.plans.plan", "search.plans.files"),
    ("search.plans.plan", "search.plans.arguments"),
}


def modules() -> dict[str, Path]:
    """All modules of the project by their dotted names."""
    paths = {}
    for package in (*ROOMS, "unlearnbench"):
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


def test_no_module_imports_itself_by_way_of_others() -> None:
    known = modules()
    graph = {name: known_modules(path, known) - {name} for name, path in known.items()}
    assert len(graph) > 300
    assert {pair for pair in BACK if pair[1] in graph[pair[0]]} == BACK, "an exception is no longer needed"
    for module, imported in BACK:
        graph[module].discard(imported)
    assert not circle(graph)


def test_no_folder_of_a_package_imports_itself_by_way_of_others() -> None:
    """Files beside the folders are its doors and its vocabulary, so they are left out."""
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


def test_the_search_for_circles_itself() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
