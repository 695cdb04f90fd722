"""Writing results: tested before a run begins, and repeated while a disk is full or a server is down."""

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

PATIENCE_S = 600.0  # time for a user to free the disk, or for a server to restart
_PROBE, _PROBE_S = "_runs/.probe-", 600.0  # a probe of a living process is younger
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


@dataclass(frozen=True)
class Outage:
    """A time in which nothing could be written: seconds, failed writes, and the reason of the first."""

    seconds: float
    failed: int
    reason: str


def store_at(results: Path | str) -> Store:
    """The store of results at a path or an address.

    Raises:
        ResultsError: for an address without a location.
    """
    try:
        return store.store_at(results)
    except AnalysisError as error:
        raise ResultsError(str(error)) from error


def probe(results: Path | str) -> None:
    """Test a location: write a small file, read it, list it and delete it.

    Files of earlier tests whose process was killed are deleted too.

    Raises:
        ResultsError: one line with the operation that failed, the reason, and what to do.
    """
    target = store_at(results)
    name, content = f"{_PROBE}{uuid4().hex}", b"unlearn was here"
    doing = "written"
    try:
        target.write(name, content)
        doing = "read back"
        if target.read(name).to_pybytes() != content:
            raise ResultsError(f"{target} returns other bytes than were written; use another location")
        doing = "listed"
        written = {file: at for file, at in target.files("_runs").items() if file.startswith(_PROBE)}
        if name not in written:
            raise ResultsError(f"{target} does not list a file that was just written; use another location")
        doing = "deleted"
        for file, at in written.items():
            if file == name or at < written[name] - _PROBE_S:  # only by the clock of the store
                target.delete(file)
    except OSError as error:
        raise ResultsError(f"results cannot be {doing} in {target}: {reason(error)}") from error


def patiently(
    write: Callable[[], None], where: str, tell: Callable[[str], None], patience_s: float = PATIENCE_S
) -> Outage | None:
    """Write, and repeat a failed write with growing pauses; returns the outage, if there was one.

    Args:
        write: Safe to repeat, also after a failure that did write the file.
        where: The name of the file in messages.
        tell: Called with a line at the first failure, and with a line when writing works again.
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
