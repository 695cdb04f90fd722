"""Delays the import of torch's compiler until something is compiled.

Importing it takes as long as importing torch itself. Every optimiser imports it when it is created and at its
first step, only to exclude some of its methods from compilation. Until something else imports the compiler,
nothing is compiled, and these methods behave the same without it. Another version of torch may do this
differently; it then imports the compiler, which costs only time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import torch

_COMPILER = "torch._dynamo"
_NOT_COMPILED = (
    "__dynamo_disable"  # the attribute in which torch stores the version of a method that is not compiled
)


def postpone_compiler() -> None:
    """Let optimisers work without the compiler until it is imported; call it before creating one."""
    if _COMPILER in sys.modules:
        return
    for method in vars(torch.optim.Optimizer).values():
        plain = _inside(method, "torch._compile")
        if plain is not None and not hasattr(plain, _NOT_COMPILED):
            setattr(plain, _NOT_COMPILED, _until_imported(method, plain))
    for kind in vars(torch.optim).values():
        step = vars(kind).get("step") if isinstance(kind, type) else None
        plain = _inside(step, "torch.optim.optimizer") if _name(step) == "_use_grad" else None
        if step is not None and plain is not None:
            kind.step = _step(step, plain)


def _inside(method: Any, module: str) -> Callable[..., Any] | None:
    """The function inside a decorator of a module."""
    by = getattr(method, "__globals__", {}).get("__name__")
    return getattr(method, "__wrapped__", None) if by == module else None


def _name(function: Any) -> str | None:
    code = getattr(function, "__code__", None)
    return code.co_name if code else None


def _until_imported(method: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        if _COMPILER not in sys.modules:
            return plain(*args, **options)
        vars(plain).pop(_NOT_COMPILED, None)  # torch sets its version
        return method(*args, **options)

    return call


def _step(step: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    """A step with gradients off, unless the optimiser can be differentiated through; as torch takes it."""

    def call(self: torch.optim.Optimizer, *args: Any, **options: Any) -> Any:
        if _COMPILER in sys.modules:
            return step(self, *args, **options)
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return plain(self, *args, **options)

    return update_wrapper(call, step)
