"""The drivers at work on some results, from their claims and heartbeats in the results location."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from analysis.monitoring.processes import has_ended, this_machine
from analysis.results.store import Store

FOLDER = "_runs/leases"
STALE_S = 30.0  # as drivers wait for each other
_BEATS_S = 11.0  # two beats of a running driver, and a second
_CLAIM = re.compile(rf"{FOLDER}/(?P<run>.+)\.(?P<token>[0-9a-f]{{32}})", re.DOTALL)


@dataclass(frozen=True)
class Driver:
    """A process that writes a run, or the shard `index` of `count` of it.

    Attributes:
        since: Its start by the clock of its machine; None if unknown.
        here: Whether it runs on this machine, where its process is visible.
    """

    run: str
    token: str
    host: str
    index: int = 1
    count: int = 1
    since: datetime | None = None
    here: bool = False

    @property
    def beat_file(self) -> str:
        return f"{FOLDER}/{self.run}.{self.token}.beat"


class Pulse:
    """Finds the running drivers in several looks at the same results.

    A driver on this machine is judged by its process. One on another machine is judged by its beats alone,
    with this machine's clock: it counts as running when it is first seen, and while its beat has changed
    within `STALE_S`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beats: dict[str, tuple[bytes, float]] = {}
        self._moved: set[str] = set()

    def living(self, store: Store, files: Collection[str]) -> list[Driver]:
        """The drivers that count as running.

        Args:
            files: Names of the files below `_runs`, claims included.

        Raises:
            OSError: if the store cannot be read.
        """
        drivers = [driver for file in files if (driver := _driver(store, file))]
        now = self._clock()
        for driver in drivers:
            if not driver.here:
                beat = _read(store, driver.beat_file)
                before = self._beats.get(driver.token)
                if before is None or before[0] != beat:
                    self._beats[driver.token] = (beat, now)
                if before is not None and before[0] != beat:
                    self._moved.add(driver.token)
        return [d for d in drivers if d.here or now - self._beats[d.token][1] < STALE_S]

    def certain(self, store: Store, sleep: Callable[[float], None] = time.sleep) -> list[Driver]:
        """The drivers that certainly run: waits for a beat of those on other machines, if there are any.

        Raises:
            OSError: if the store cannot be read.
        """
        until = self._clock() + _BEATS_S
        while True:
            drivers = self.living(store, store.files(FOLDER))
            unheard = [d for d in drivers if not d.here and d.token not in self._moved]
            if not unheard or self._clock() >= until:
                return [d for d in drivers if d not in unheard]
            sleep(1.0)


def _driver(store: Store, file: str) -> Driver | None:
    """The driver of a claim; None if it has ended or the claim cannot be read."""
    name = _CLAIM.fullmatch(file)
    if name is None:
        return None
    try:
        content = json.loads(_read(store, file))
        shard, pid = content["shard"], int(content["pid"])
        if has_ended(str(content["machine"]), pid, str(content["started"])):
            return None
        return Driver(
            run=name["run"],
            token=name["token"],
            host=str(content["host"]),
            index=int(shard["index"]),
            count=int(shard["count"]),
            since=_time(content),
            here=bool(content["machine"]) and content["machine"] == this_machine(),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None  # withdrawn since, or for a driver of this run to name


def _time(content: Mapping[str, object]) -> datetime | None:
    try:
        return datetime.strptime(f"{content['since']} +0000", "%Y-%m-%d %H:%M:%S UTC %z")
    except (KeyError, ValueError):
        return None


def _read(store: Store, file: str) -> bytes:
    try:
        return bytes(store.read(file).to_pybytes())
    except FileNotFoundError:
        return b""
