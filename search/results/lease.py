"""One driver per run: a claim with a heartbeat next to the results, in a folder or a bucket.

A driver writes its claim, then lists all claims, and withdraws if there is another. Of two drivers that start
together at least one sees the other, in any order of their writes, so the two never continue together. This
needs no locks and no conditional writes, only listings that show all earlier writes.

A claim is written only once, and a driver that takes over deletes it. So a driver that was asleep when it was
considered dead notices before its next write that its claim is missing, and stops. The heartbeat is a
separate file: a late beat does not restore the claim.

Whether a driver of another machine is alive is decided only by its beats, measured with the observer's clock;
the clocks of two machines are never compared.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from analysis.results.store import Store
from search.errors import ResultsError
from search.results.claims import FOLDER, Claim, claims, ended, holders, to_json

BEAT_S = 5.0
STALE_S = 30.0  # a driver without a beat for this long is considered dead
_ATTEMPTS = 8


class LeaseLost(ResultsError):
    """Another driver has taken over the run; this driver must not write any more."""


class Lease:
    """The exclusive right to write a run, or a shard of it, until `release`.

    Args:
        mine: See `claim`.
        tell: Called with a line when it has to wait for the heartbeat of another driver.
        beat_s: Seconds between two beats.
        stale_s: Seconds without a beat after which another driver is considered dead; well above `beat_s`.

    Raises:
        ResultsError: when another driver has it.
        OSError: when the results cannot be read or written.
    """

    def __init__(
        self,
        store: Store,
        mine: Claim,
        tell: Callable[[str], None],
        beat_s: float = BEAT_S,
        stale_s: float = STALE_S,
    ) -> None:
        self._store = store
        self._mine = mine
        self._beat_s = beat_s
        self._stale_s = stale_s
        self._tell = tell
        self._over = threading.Event()
        self._acquire()
        self._thread = threading.Thread(target=self._beat, name=f"lease of {mine.run}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Check before every write that the run was not taken over.

        Raises:
            LeaseLost: when another driver has taken over the run.
            OSError: when the claim cannot be read.
        """
        try:
            self._store.read(self._mine.file)
        except FileNotFoundError:
            self._over.set()
            others = [
                str(other) for other in holders(self._store, self._mine.run) if other.rivals(self._mine)
            ]
            run = self._mine.run
            silence = "because this driver had no heartbeat for a while (a suspended machine?)"
            if others:
                raise LeaseLost(
                    f"run '{run}' was taken over by {others[0]}, {silence}; it stops here, and what it "
                    "finished before is kept"
                ) from None
            raise LeaseLost(
                f"the claim on run '{run}' was deleted from {self._store}: somebody deleted files there, or "
                f"the run was taken over, {silence}; the same command resumes from the table"
            ) from None

    def release(self) -> None:
        """Release the run for another driver."""
        self._over.set()
        self._thread.join(timeout=self._stale_s)
        with suppress(OSError):  # the next driver recognises a leftover claim as dead
            self._remove(self._mine)

    def _acquire(self) -> None:
        dead: list[Claim] = []
        for attempt in range(1, _ATTEMPTS + 1):
            rivals = self._rivals(dead)
            self._refuse_if_any_lives(rivals)
            dead += rivals
            self._store.write(self._mine.file, to_json(self._mine))
            rivals = self._rivals(dead)
            if not rivals:
                for rival in dead:
                    self._remove(rival)
                return
            self._remove(self._mine)
            time.sleep(random.uniform(0.05, 0.3) * attempt)
        raise _refusal(self._mine, rivals[0])

    def _rivals(self, dead: Sequence[Claim] = ()) -> list[Claim]:
        without = {self._mine.token, *(other.token for other in dead)}
        others = claims(self._store, self._mine.run)
        return [other for other in others if other.rivals(self._mine) and other.token not in without]

    def _refuse_if_any_lives(self, rivals: Sequence[Claim]) -> None:
        remote = []
        for rival in rivals:
            if not ended(rival):
                if rival.machine and rival.machine == self._mine.machine:
                    raise _refusal(self._mine, rival)
                remote.append(rival)
        if remote:
            self._tell(
                f"run '{self._mine.run}' was left by {remote[0]}; "
                f"waiting up to {self._stale_s:.0f} s for its heartbeat"
            )
            living = self._first_to_beat(remote)
            if living is not None:
                raise _refusal(self._mine, living)

    def _first_to_beat(self, rivals: Sequence[Claim]) -> Claim | None:
        """The first with a new beat; None if all have withdrawn or had no new beat in time."""
        left = {rival: self._read_beat(rival) for rival in rivals}
        began = time.monotonic()
        while left and time.monotonic() - began < self._stale_s:
            time.sleep(self._beat_s / 2)
            try:
                present = self._store.files(FOLDER)
                left = {rival: before for rival, before in left.items() if rival.file in present}
                for rival, before in left.items():
                    if self._read_beat(rival) != before:
                        return rival
            except OSError:
                began = time.monotonic()  # while reads fail, the others cannot beat either
        return None

    def _read_beat(self, rival: Claim) -> bytes:
        try:
            return bytes(self._store.read(rival.beat_file))
        except FileNotFoundError:
            return b""

    def _remove(self, removed: Claim) -> None:
        self._store.delete(removed.file)
        self._store.delete(removed.beat_file)

    def _beat(self) -> None:
        count = 0
        while not self._over.wait(self._beat_s):
            count += 1
            with suppress(OSError):  # a full disk or a server that is down: a later beat may succeed
                self._store.write(self._mine.beat_file, str(count).encode())


def _refusal(mine: Claim, other: Claim) -> ResultsError:
    if mine.shard.count == other.shard.count and mine.shard.index != other.shard.index:
        advice = "its shards divide a different list of work; give all shards the same plan"
    elif mine.shard.count != other.shard.count:
        advice = f"all shards of a run need the same n, here {other.shard.count}; or wait for it or stop it"
    else:
        advice = "wait for it or stop it"
    return ResultsError(f"run '{mine.run}' is being written by another process ({other}); {advice}")
