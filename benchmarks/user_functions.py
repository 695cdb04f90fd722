"""User-defined functions by their path: `import:MODULE:FUNCTION`."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks.errors import BenchmarkError, suggest


def user_function(kind: str, path: str) -> Callable[..., object]:
    """The function `MODULE:FUNCTION`; its module is imported, which runs the code in it.

    Args:
        kind: The kind of object that the function returns, for messages: "model", "data set".

    Raises:
        BenchmarkError: if there is no such function.
    """
    name = f"import:{path}"
    module_name, _, attribute = path.partition(":")
    if not (all(part.isidentifier() for part in module_name.split(".")) and attribute.isidentifier()):
        raise BenchmarkError(
            f"{kind} '{name}': after 'import:' write a module and a function, as in 'my.code:build'"
        )
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise BenchmarkError(
            f"{kind} '{name}': the module '{module_name}' does not import ({type(error).__name__}: {error}); "
            "install it, or put it next to the plan"
        ) from error
    function: object = getattr(module, attribute, None)
    if not callable(function):
        functions = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise BenchmarkError(
            f"{kind} '{name}': '{module_name}' ({module.__file__}) has no function '{attribute}'; "
            f"{suggest(attribute, functions)}"
        )
    return function


def file_of(function: Callable[..., object]) -> str:
    """The path of the file that defines a function, for messages."""
    return str(getattr(sys.modules.get(function.__module__), "__file__", None) or function.__module__)


def raised(error: BaseException, function: Callable[..., object]) -> str:
    """The exception that a user's code raised, with its line."""
    file = file_of(function)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f" in line {lines[-1]} of {Path(file).name}" if lines else ""
    return f"{type(error).__name__}{where}: {str(error).strip().partition(chr(10))[0]}"
