"""Claims: files next to the results, with heartbeats, of the process that writes a part of a run."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import uuid4

from analysis.monitoring import processes
from analysis.results.store import Store
from search.errors import ResultsError
from search.results.shards import WHOLE, Shard

FOLDER = "_runs/leases"
_NAME = re.compile(rf"{FOLDER}/(?P<run>.+)\.(?P<token>[0-9a-f]{{32}})(?P<beat>\.beat)?", re.DOTALL)


@dataclass(frozen=True)
class Claim:
    """The process that writes a part of a run.

    Attributes:
        run: The run; the claim is on its part `shard`.
        division: A digest of the list of work that the shards divide; with another list they could overlap.
        machine: The boot and the process namespace in which `pid` is valid; empty if unknown.
        started: The start of the process, in ticks since that boot, because pids are reused.
        since: The time of the claim, for messages.
    """

    token: str
    run: str
    shard: Shard
    division: str
    host: str
    machine: str
    pid: int
    started: str
    since: str

    def __str__(self) -> str:
        part = "" if self.shard.whole else f" as shard {self.shard}"
        return f"process {self.pid} on {self.host}{part}, since {self.since}"

    @property
    def life(self) -> str:
        """Unique suffix of the files that the claiming process writes; sorts by time."""
        digits = re.sub(r"\D", "", self.since)
        return f"{digits[:8]}T{digits[8:]}-{self.token[:8]}"

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.run}.{self.token}"

    @property
    def beat_file(self) -> str:
        return f"{self.file}.beat"

    def rivals(self, other: Claim) -> bool:
        """Whether the two claims exclude each other."""
        return self.shard.overlaps(other.shard) or self.division != other.division


def claim(run: str, shard: Shard = WHOLE, division: str = "") -> Claim:
    """A claim of this process, not written yet."""
    return Claim(
        token=uuid4().hex,
        run=run,
        shard=shard,
        division=division,
        host=socket.gethostname(),
        machine=processes.this_machine(),
        pid=os.getpid(),
        started=processes.start_of(os.getpid()) or "",
        since=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
    )


def holders(store: Store, run: str) -> list[Claim]:
    """Claims on a run, without those whose process is known to have ended.

    Raises:
        OSError: when the results cannot be read.
    """
    return [held for held in claims(store, run) if not ended(held)]


def delete_dead_claims(store: Store) -> None:
    """Delete claims on any run whose process is known to have ended, and heartbeats without a claim.

    Raises:
        OSError: when the results cannot be read or written.
    """
    files = store.files(FOLDER)
    for file in files:
        name = _NAME.fullmatch(file)
        if not name:
            continue
        if name["beat"]:
            if file.removesuffix(name["beat"]) not in files:
                store.delete(file)
            continue
        with suppress(
            FileNotFoundError, ResultsError
        ):  # withdrawn meanwhile, or unreadable: the driver of that run reports it
            dead = _from_json(store, file)
            if ended(dead):
                store.delete(dead.file)
                store.delete(dead.beat_file)


def claims(store: Store, run: str) -> list[Claim]:
    """All claims on a run.

    Raises:
        ResultsError: for a claim that cannot be understood.
        OSError: when the results cannot be read.
    """
    on_run = []
    for file in _claim_files(store.files(FOLDER), run):
        with suppress(FileNotFoundError):  # withdrawn since the listing
            on_run.append(_from_json(store, file))
    return on_run


def _claim_files(files: Collection[str], run: str) -> list[str]:
    named = ((file, _NAME.fullmatch(file)) for file in files)
    return [file for file, name in named if name and name["run"] == run and not name["beat"]]


def to_json(held: Claim) -> bytes:
    """The content of a claim's file."""
    return json.dumps(asdict(held), indent=1).encode()


def _from_json(store: Store, file: str) -> Claim:
    try:
        content = json.loads(store.read(file).to_pybytes())
        shard = Shard(int(content["shard"]["index"]), int(content["shard"]["count"]))
        parsed = Claim(**{**content, "shard": shard, "pid": int(content["pid"])})
        if parsed.file != file or not 0 < parsed.pid < 2**31:
            raise ValueError(file)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ResultsError(
            f"{store.at(file)} is not a valid claim on the run; delete it if no driver of this run is running"
        ) from error
    return parsed


def ended(held: Claim) -> bool:
    """Whether a claim's process is known to have ended; only its own machine can know."""
    return processes.has_ended(held.machine, held.pid, held.started)
