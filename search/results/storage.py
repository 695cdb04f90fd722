"""Writing where results go: tried before hours are spent, and again while a disk is full or a server down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from analysis.errors import AnalysisError
from analysis.results import store
from analysis.results.store import Store, reason
from search.errors import ResultsError

PATIENCE_S = 600.0  # a disk that somebody has to free, a server that is restarted
_PROBE, _PROBE_S = "_runs/.probe-", 600.0  # no process takes longer over its own
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


@dataclass(frozen=True)
class Outage:
    """A time in which nothing could be written: seconds, writes that failed, and why the first did."""

    seconds: float
    failed: int
    reason: str


def store_at(results: Path | str) -> Store:
    """The store of results at a path or an address.

    Raises:
        ResultsError: for an address that names no place.
    """
    try:
        return store.store_at(results)
    except AnalysisError as error:
        raise ResultsError(str(error)) from error


def probe(results: Path | str) -> None:
    """Write a small file, read it, find it in the listing and delete it, and such as killed processes left.

    Raises:
        ResultsError: one line with what cannot be done, why, and what to do.
    """
    target = store_at(results)
    name, content = f"{_PROBE}{uuid4().hex}", b"unlearn was here"
    doing = "written"
    try:
        target.write(name, content)
        doing = "read back"
        if target.read(name).to_pybytes() != content:
            raise ResultsError(
                f"{target} gives back something else than was written there; use another place"
            )
        doing = "listed"
        written = {file: at for file, at in target.files("_runs").items() if file.startswith(_PROBE)}
        if name not in written:
            raise ResultsError(f"{target} does not list a file that was just written; use another place")
        doing = "deleted"
        for file, at in written.items():
            if file == name or at < written[name] - _PROBE_S:  # by the clock of the place alone
                target.delete(file)
    except OSError as error:
        raise ResultsError(f"results cannot be {doing} in {target}: {reason(error)}") from error


def patiently(
    write: Callable[[], None], where: str, tell: Callable[[str], None], patience_s: float = PATIENCE_S
) -> Outage | None:
    """Write, and where that fails, again with growing pauses; what was in the way, if anything.

    Args:
        write: Safe to repeat, also after a failure that wrote all the same.
        where: What is written, for messages.
        tell: Called with one line when a write fails first, and with one when it works again.
        patience_s: Seconds after which it gives up.

    Raises:
        ResultsError: when it gives up.
    """
    began, pause, failed, why = time.monotonic(), _FIRST_PAUSE_S, 0, ""
    while True:
        try:
            write()
        except OSError as error:
            failed += 1
            left = patience_s - (time.monotonic() - began)
            if left <= 0:
                raise ResultsError(
                    f"cannot write {where}: {reason(error)}, then run the same command again "
                    "(finished trials are kept)"
                ) from error
            if failed == 1:
                why = reason(error)
                tell(f"cannot write {where}: {why}; trying again for up to {_duration(patience_s)}")
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        else:
            if not failed:
                return None
            seconds = time.monotonic() - began
            tell(f"{where} could be written again after {_duration(seconds)}")
            return Outage(seconds, failed, why)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
