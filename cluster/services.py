"""Turns off the parts of Ray that no run needs: some of its services, and its count of callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any


@contextmanager
def needed_services() -> Iterator[None]:
    """Ray starts here without its autoscaler, its log monitor and its API server, and without the web server
    of its agent.

    Each is a Python process that imports for a second of processor time or more, while workers do the same.
    A session of this machine does not use them: it does not grow, its logs stay in their files, and it has
    no dashboard. Ray has no option for that. Another version of Ray may lack these functions; it then starts
    all of its services, which only costs time.
    """
    from ray._private import node, services, utils

    replacements: list[tuple[Any, str, Any]] = [
        (node.Node, "start_monitor", lambda node: None),
        (node.Node, "start_log_monitor", lambda node: None),
        (services, "start_api_server", lambda *_, **__: ("", None)),
        # The answer of a Ray without its dashboard's dependencies; the agent then only serves the raylet
        (utils, "get_dashboard_dependency_error", lambda: ImportError("not wanted")),
    ]
    with ExitStack() as stack:
        for owner, name, function in replacements:
            stack.enter_context(replaced(owner, name, function))
        yield


def callbacks_uncounted() -> AbstractContextManager[None]:
    """Ray Tune counts the callbacks that a run uses. For that it imports wandb and mlflow, where they are
    installed, which takes seconds. The counts are not sent anywhere."""
    from ray.air._internal import usage

    return replaced(usage, "tag_callbacks", lambda callbacks: False)


@contextmanager
def replaced(owner: Any, name: str, function: Any) -> Iterator[None]:
    """While it is open, `owner` has this function by this name; nothing changes where it has none.

    Args:
        owner: A module or a class.
    """
    if name not in vars(owner):
        yield
        return
    original = vars(owner)[name]
    setattr(owner, name, function)
    try:
        yield
    finally:
        setattr(owner, name, original)
