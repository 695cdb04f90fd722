"""Turns off the parts of Ray that no run needs: some of its services, and its count of callbacks."""

from __future__ import annotations

import functools
import inspect
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

_IDLE_AGENT = Path(__file__).with_name("idle_agent.py")


@contextmanager
def needed_services() -> Iterator[None]:
    """Ray starts here without its autoscaler, its log monitor and its API server. Idle processes stand in for
    the agents of the dashboard and of runtime environments; the second becomes the agent when it is needed.

    Each is a Python process that imports for a second of processor time or more, while workers do the same.
    A session of this machine does not use them: it does not grow, its logs stay in their files, it has no
    dashboard, and its workers have the environment of the session. Ray has no option for that. Another
    version of Ray may lack these functions; it then starts all of its services, which only costs time.
    """
    from ray._private import node, services, utils

    with ExitStack() as stack:
        replacements: list[tuple[Any, str, Any]] = [
            (node.Node, "start_monitor", lambda node: None),
            (node.Node, "start_log_monitor", lambda node: None),
            (services, "start_api_server", lambda *_, **__: ("", None)),
            (utils, "set_sigterm_handler", lambda handler: None),  # an exit that Ray itself may swallow
            *_without_agents(stack),
        ]
        for owner, name, function in replacements:
            stack.enter_context(replaced(owner, name, function))
        yield


def _without_agents(ports: ExitStack) -> list[tuple[Any, str, Any]]:
    """Replacements with which a raylet starts at once, where it would wait for its agents for seconds.

    Args:
        ports: Reserves the port of the agent of runtime environments until it is closed.
    """
    from ray import _raylet
    from ray._private import ray_constants, services

    compiled: Any = _raylet
    command_name = "_build_python_executable_command_memory_profileable"
    try:
        command, start = getattr(services, command_name), services.start_raylet
        agents = (
            ray_constants.PROCESS_TYPE_DASHBOARD_AGENT,
            ray_constants.PROCESS_TYPE_RUNTIME_ENV_AGENT,
        )
        persist = compiled.persist_port
        unused = (
            compiled.METRICS_AGENT_PORT_NAME,
            compiled.METRICS_EXPORT_PORT_NAME,
            compiled.DASHBOARD_AGENT_LISTEN_PORT_NAME,
        )
    except AttributeError:
        return []
    signature = inspect.signature(start)
    if not {"session_dir", "node_id", "node_ip_address", "runtime_env_agent_port"} <= {*signature.parameters}:
        return []

    def agent_command(component: str, *args: Any, **options: Any) -> list[str]:
        if component in agents:
            return [sys.executable, "-IS", str(_IDLE_AGENT)]
        return list(command(component, *args, **options))

    @functools.wraps(start)
    def start_raylet(*args: Any, **options: Any) -> Any:
        call = signature.bind(*args, **options)
        given = call.arguments
        for name in unused:  # Ray's agent writes the same if it has no server
            persist(given["session_dir"], given["node_id"], name, -1)
        given["runtime_env_agent_port"] = ports.enter_context(_reserved(given["node_ip_address"]))
        return start(*call.args, **call.kwargs)

    return [(services, command_name, agent_command), (services, "start_raylet", start_raylet)]


@contextmanager
def _reserved(address: str) -> Iterator[int]:
    """A port of an address that only a process which sets SO_REUSEADDR can bind meanwhile, as Ray's do."""
    family, kind, protocol, _, where = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(where)
        yield held.getsockname()[1]


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
