"""Sphinx's settings for `make docs`: the pages of this folder, and an API page from the docstrings."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

import unlearnbench

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Unlearnbench"
author = copyright = "Unlearnbench maintainers"  # noqa: A001
version = release = installed("unlearnbench")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 6  # as on GitHub, so that links to headings work in both

html_theme = "furo"
html_title = project
html_show_sphinx = False
html_copy_source = False
smartquotes_action = "D"  # dashes; quotation marks are part of values

default_role = "code"  # docstrings have names in single backticks
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes in one list
napoleon_use_rtype = False

PACKAGES = {
    "search": "Plans, searches and benchmarks",
    "analysis": "Results",
    "benchmarks": "One trial",
    "cluster": "Clusters",
}
PYDANTIC = "model_config, model_post_init"  # what it adds to the classes themselves


def navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Append a table of contents for each section of the index: the pages that it links to."""
    if page != "index":
        return
    for section in source[0].split("\n## ")[1:]:
        caption, _, text = section.partition("\n")
        pages = "\n".join(re.findall(r"\]\(([\w-]+)\.md\)", text))
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"


def entries(app: Sphinx, page: str, source: list[str]) -> None:
    """Append an entry for each public name to the API page, under the package that it is from."""
    if page != "api":
        return
    public = {name: getattr(unlearnbench, name) for name in unlearnbench.__all__}
    for package, heading in PACKAGES.items():
        directives = [
            directive(name, value)
            for name, value in public.items()
            if (value.__name__ if inspect.ismodule(value) else value.__module__).startswith(f"{package}.")
        ]
        source[0] += f"\n## {heading}\n\n```{{eval-rst}}\n{''.join(directives)}```\n"


def directive(name: str, value: object) -> str:
    """The autodoc directive of a public name; a module's is followed by those of its functions."""
    full = f"unlearnbench.{name}"
    if inspect.ismodule(value):
        members = inspect.getmembers(value, inspect.isfunction)
        return f".. py:data:: {full}\n\n   {inspect.getdoc(value)}\n\n" + "".join(
            directive(f"{name}.{member}", function) for member, function in members
        )
    if inspect.isfunction(value):
        return f".. autofunction:: {full}\n"
    if isinstance(value, type) and issubclass(value, Exception):
        return f".. autoexception:: {full}\n   :show-inheritance:\n"
    options = {"members": "", "inherited-members": "BaseModel, object, tuple", "exclude-members": PYDANTIC}
    return f".. autoclass:: {full}\n" + "".join(f"   :{key}: {text}\n" for key, text in options.items())


def signature(
    app: Sphinx,
    what: str,
    name: str,
    value: object,
    options: object,
    arguments: str | None,
    result: str | None,
) -> tuple[str, str | None] | None:
    """Shorten a signature: none for a pydantic model, which lists its validators; `...` for a function."""
    if hasattr(value, "model_fields"):
        return "", None
    return arguments and (re.sub(r"<function [^>]+>+", "...", arguments), result)


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-signature", signature)
    app.connect("source-read", navigation)
    app.connect("source-read", entries)
