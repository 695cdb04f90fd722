"""The resources to request from a cluster that grows: for all trials that could run, while they could run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_POLL_S = 1.0
_RENEW_S = 15.0
_ACTOR = {"name": "demand", "namespace": "unlearnbench"}

Bundle = dict[str, float]


@contextmanager
def demand(wanted: Callable[[], list[Bundle]]) -> Iterator[None]:
    """Request resources from the cluster's autoscaler, if it has one, until the end of the block.

    Trials wait in the driver, where no autoscaler sees them; without a request it would not start machines.

    Args:
        wanted: Returns the resources of all trials that could run now, including those that run. Called
            every second, in a thread.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_keep_asking, args=(wanted, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _keep_asking(wanted: Callable[[], list[Bundle]], ended: threading.Event) -> None:
    from ray.exceptions import RayError

    asked: list[Bundle] = []
    when, over = 0.0, False
    while not over:
        over = ended.wait(_POLL_S)
        bundles = [] if over else wanted()
        if bundles != asked or (bundles and time.monotonic() - when > _RENEW_S):
            with suppress(RayError):  # repeated soon; meanwhile trials run on the existing machines
                _ask(bundles)
                asked, when = bundles, time.monotonic()


def _ask(bundles: list[Bundle]) -> None:
    import ray

    context = ray.get_runtime_context()
    # On the driver's machine, usually the head: it must not keep a machine that could be released
    here = {"label_selector": {"ray.io/node-id": context.get_node_id()}}
    options = {**_ACTOR, **here, "get_if_exists": True, "lifetime": "detached", "num_cpus": 0}
    asker: Any = ray.remote(Asker).options(**options).remote()
    if not ray.get(asker.want.remote(context.get_job_id(), bundles), timeout=2 * _RENEW_S):
        ray.kill(asker)


class Asker:
    """Adds up the requests of a cluster's drivers: Ray keeps a single request, even after a driver has died.

    Args:
        forget_s: Seconds after which a silent driver is forgotten. When no driver is left, this actor ends.
    """

    def __init__(self, forget_s: float = 4 * _RENEW_S) -> None:
        self._forget_s = forget_s
        self._wanted: dict[str, tuple[float, list[Bundle]]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._forget, daemon=True).start()

    def want(self, driver: str, bundles: list[Bundle]) -> int:
        """Replace the request of a driver; returns the number of drivers that request anything."""
        with self._lock:
            self._wanted[driver] = (time.monotonic(), bundles)
            return self._request()

    def _forget(self) -> None:
        import ray

        left = 1
        while left:
            time.sleep(self._forget_s / 4)
            with self._lock:
                left = self._request()
        ray.kill(ray.get_runtime_context().current_actor)

    def _request(self) -> int:
        from ray.autoscaler.sdk import request_resources

        now = time.monotonic()
        self._wanted = {
            driver: (when, bundles)
            for driver, (when, bundles) in self._wanted.items()
            if bundles and now - when < self._forget_s
        }
        request_resources(bundles=[bundle for _, bundles in self._wanted.values() for bundle in bundles])
        return len(self._wanted)
