"""A Ray session: a local one, quiet and ended when the work is done, or that of a cluster."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from cluster.addresses import LOCAL
from cluster.capacity import machines, usable
from cluster.errors import ASKS_FOR_A_TOKEN, ClusterError, one_line
from cluster.forking import NO_FORK_SERVER, ForkServer
from cluster.imports import imports_kept
from cluster.isolation import absolute_pythonpath, isolated_job, session_token
from cluster.processes import children, copies, end, of_session
from cluster.scratch import scratch, session_base
from cluster.services import needed_services
from cluster.signals import kept_from_ray
from cluster.slots import Slots, cores

_REACH_S = 5.0
_TOO_SLOW = "timed out during startup"  # in Ray's words
_STARTS = 3  # Ray gives up a start after half a minute; a busy machine may need longer
# Read by Ray when it starts: no usage report, no repeated-line folding, no accelerator warning; no workers
# before there is work, as Ray would start one per core, and others when work comes before they are ready; a
# raylet that looks for its object store 20 times a second for ten seconds, where Ray looks once a second;
# workers that stay in their folder during a trial; and the output of trials is limited to some megabytes, in
# files that are overwritten in turn.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_METRICS_COLLECTION": "1",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_raylet_client_connect_timeout_milliseconds": "50",
    "RAY_raylet_client_num_connect_attempts": "200",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ROTATION_MAX_BYTES": str(4 * 2**20),
    "RAY_ROTATION_BACKUP_COUNT": "1",
}


@contextmanager
def session(
    wanted: Slots, imports: Sequence[str] = (), server: ForkServer = NO_FORK_SERVER
) -> Iterator[None]:
    """A Ray session for these slots. At the end, a local session is shut down; a cluster is disconnected.

    A local session has capacity for exactly the workers wanted; if there are more workers than cores, they
    share the cores. Only its processes know its token, and its files are deleted when it ends.

    Args:
        imports: Modules that this process needs next; they are imported while Ray's processes start.
        server: The workers of a local session are its copies.

    Raises:
        ClusterError: if Ray does not start, or nothing answers at the address; if this machine has none of
            the GPUs that are requested.
    """
    os.environ.update({k: v for k, v in _QUIET.items() if k not in os.environ})
    with imports_kept():
        import ray

    if ray.is_initialized():
        raise ClusterError("Ray already runs in this process; call ray.shutdown() first")
    importing = threading.Thread(target=_import, args=(imports,), daemon=True)
    importing.start()
    here = wanted.address == LOCAL
    try:
        with _session_here(wanted, server) if here else _session_of_a_cluster(wanted.address):
            yield
    finally:
        importing.join()  # a process that ends in the middle of an import may crash


@contextmanager
def _session_here(wanted: Slots, server: ForkServer) -> Iterator[None]:
    import ray

    session_cores = wanted.workers * wanted.cpus if wanted.workers else cores()
    with (
        scratch(session_base()) as folder,
        session_token(),
        absolute_pythonpath(),
        needed_services(),
        server.answering(folder),
    ):
        inner = folder / "r"  # Ray makes it writable for everybody
        before = children()
        for left in reversed(range(_STARTS)):
            try:
                _init(LOCAL, num_cpus=session_cores, include_dashboard=False, _temp_dir=str(inner))
                break
            except KeyboardInterrupt:
                end([*copies(excluded=before), *of_session(folder)])
                raise
            except Exception as error:
                end(of_session(folder))
                if not left or _TOO_SLOW not in str(error):
                    raise ClusterError(_why(LOCAL, error)) from error
        try:
            _check_gpus(wanted)
            server.serve()
            yield
        finally:
            workers, processes = server.workers(), of_session(folder)
            try:
                end(workers)  # a raylet waits a second for workers that are not its children
                ray.shutdown()
            finally:  # also if a second Ctrl-C interrupts the shutdown
                end([*processes, *workers])


@contextmanager
def _session_of_a_cluster(address: str) -> Iterator[None]:
    import ray

    reach(address)
    try:
        _init(address)
    except Exception as error:
        raise ClusterError(_why(address, error)) from error
    try:
        _same_token(address)
        yield
    finally:
        ray.shutdown()


def _init(address: str, **options: Any) -> None:
    import ray

    job = isolated_job()
    with kept_from_ray():
        ray.init(address, job_config=job, log_to_driver=False, logging_level=logging.ERROR, **options)


def _import(modules: Sequence[str]) -> None:
    with imports_kept():
        for name in modules:
            with suppress(Exception):  # raised again where the module is used
                importlib.import_module(name)


def running() -> bool:
    """Whether a session is open in this process. Does not import Ray."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def reach(address: str) -> None:
    """Fail within seconds if nothing listens; Ray itself would try for minutes.

    Raises:
        ClusterError: if nothing listens, or for a text that is not an address.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        if address != "auto":
            raise ClusterError(
                f"'{address}' is not the address of a cluster; valid are local, auto, HOST:6379, "
                "and for the doctor ray://HOST:10001"
            )
        return
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"nothing answers at '{address}' ({one_line(error)}); is the cluster up, and the port forwarded?"
        ) from error


def _same_token(address: str) -> None:
    """Fail if this process sends a token to a cluster that has none: its actors would die there.

    That happens with --address auto, if Ray stored a token on this machine after the cluster was started.
    """
    if os.environ.get("RAY_AUTH_MODE") != "token":
        return
    import ray

    probe: Any = ray.remote(num_cpus=0)(object)
    try:
        ray.get(probe.remote().__ray_ready__.remote())
    except ray.exceptions.ActorDiedError as error:
        raise ClusterError(
            f"the cluster at '{address}' does not use the token that this machine has; restart the "
            "cluster so that it does, or set RAY_AUTH_MODE=disabled"
        ) from error


def _why(address: str, error: BaseException) -> str:
    if "InvalidAuthToken" in f"{error} {error.__cause__}":
        return f"the cluster at '{address}' {ASKS_FOR_A_TOKEN}"
    advice = "see `unlearn doctor`" if address == LOCAL else "is `ray start` running there?"
    if "Version mismatch" in str(error):
        advice = "install the same versions of Ray and Python on both machines"
    if _TOO_SLOW in str(error):
        advice = "this machine seems to be overloaded; try again when it is less busy"
    return f"no Ray session at '{address}': {one_line(error).rstrip('.')}; {advice}"


def _check_gpus(wanted: Slots) -> None:
    """Fail if no trial could ever start: no machine is added to a local session."""
    groups = machines(wanted.cpus)
    if usable(groups, wanted):
        return
    kinds = ", ".join(f"{m.gpus} x {m.kind}" for m in groups if m.gpus) or "none"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hint = "" if visible is None else f" (CUDA_VISIBLE_DEVICES is '{visible}')"
    raise ClusterError(
        f"{wanted.gpus} GPU per trial was requested, but Ray sees {kinds} on this machine{hint}; use 0"
    )
