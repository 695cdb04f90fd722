"""What Ray does beside its work that no run needs: services of its own, and counts of what is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def needed_services() -> Iterator[None]:
    """Ray starts here without its autoscaler, its log monitor and its API server, and without the web server
    of its agent.

    Each is a Python process that imports for a second of processor time or more, while workers do the same.
    Nothing asks them for anything: a session of this machine does not grow, its logs stay in their files,
    and it has no dashboard. Ray has no option for that. Another version of Ray may have no such functions;
    it then starts them all, which costs time alone.
    """
    from ray._private import node, services, utils

    instead: list[tuple[Any, str, Any]] = [
        (node.Node, "start_monitor", lambda node: None),
        (node.Node, "start_log_monitor", lambda node: None),
        (services, "start_api_server", lambda *_, **__: ("", None)),
        # What a Ray without its dashboard's dependencies answers; the agent then serves the raylet alone
        (utils, "get_dashboard_dependency_error", lambda: ImportError("not wanted")),
    ]
    with ExitStack() as stack:
        for owner, name, function in instead:
            if hasattr(owner, name):
                stack.enter_context(patch.object(owner, name, function))
        yield


def callbacks_uncounted() -> AbstractContextManager[object]:
    """Ray Tune counts the callbacks that a run uses; for that it imports wandb and mlflow, where they are
    installed, which takes seconds. Nothing of the counts is sent."""
    from ray.air._internal import usage

    return patch.object(usage, "tag_callbacks", lambda callbacks: False, create=True)
