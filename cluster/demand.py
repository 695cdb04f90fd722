"""What a cluster that grows is asked for: room for the trials that could run, for as long as they could."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_LOOK_EVERY_S = 1.0
_RENEW_S = 15.0
_ACTOR = {"name": "demand", "namespace": "unlearnbench"}

Bundle = dict[str, float]


@contextmanager
def demand(wanted: Callable[[], list[Bundle]]) -> Iterator[None]:
    """Tell the cluster's autoscaler, if it has one, what is wanted, until the end of the block.

    Trials wait in the driver, where no autoscaler sees them; without this it would start no machine.

    Args:
        wanted: What all trials that could run now would ask for, those that run included; called every
            second, in a thread.
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
        over = ended.wait(_LOOK_EVERY_S)
        bundles = [] if over else wanted()
        if bundles != asked or (bundles and time.monotonic() - when > _RENEW_S):
            with suppress(RayError):  # asked again soon; trials run meanwhile on what is there
                _ask(bundles)
                asked, when = bundles, time.monotonic()


def _ask(bundles: list[Bundle]) -> None:
    import ray

    context = ray.get_runtime_context()
    # Beside the driver, on the head as a rule: it must not keep a machine that could leave
    here = {"label_selector": {"ray.io/node-id": context.get_node_id()}}
    options = {**_ACTOR, **here, "get_if_exists": True, "lifetime": "detached", "num_cpus": 0}
    asker: Any = ray.remote(Asker).options(**options).remote()
    if not ray.get(asker.want.remote(context.get_job_id(), bundles), timeout=2 * _RENEW_S):
        ray.kill(asker)


class Asker:
    """Adds up what the drivers of a cluster want: Ray keeps one request for all, even of the dead.

    Args:
        forget_s: Seconds after which a driver that says nothing more is forgotten. With nobody left this
            ends itself.
    """

    def __init__(self, forget_s: float = 4 * _RENEW_S) -> None:
        self._forget_s = forget_s
        self._wanted: dict[str, tuple[float, list[Bundle]]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._forget, daemon=True).start()

    def want(self, driver: str, bundles: list[Bundle]) -> int:
        """What a driver wants from now on; gives how many drivers want anything."""
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
        request_resources(bundles=[one for _, bundles in self._wanted.values() for one in bundles])
        return len(self._wanted)
