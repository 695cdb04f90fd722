"""What tables, comparisons and importances of a million trials take, and the report of 60 searches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.performance.figures import Figure
from tests.performance.large_tables import million, searches

CALLS = {
    "overall": "from analysis import overall; overall(place)",
    "by_class": "from analysis import by_class; by_class(place)",
    "compare": "from analysis.published.compare import cells; cells(place)",
    "importance": "from analysis.searches.importance import of_searches; of_searches(place)",
}
REPORT = "from analysis.report.render import write_report; write_report(place)"
_MEASURED = """
import json, resource, sys, time
began, place = time.perf_counter(), sys.argv[1]
{call}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20]))
"""


def measure(folder: Path) -> Iterator[Figure]:
    """Wall time and resident memory of each, in a fresh process."""
    place = folder / "million"
    rows = million(place)
    for name, call in CALLS.items():
        wall, busy, gib = _measured(call, place)
        note = f"{busy:.1f} s of CPU"
        yield Figure(f"{name} of {rows:,} trials", wall, "s", aim=5.0, at_most=True, note=note)
        yield Figure(f"{name} of {rows:,} trials, memory", gib, "GiB", aim=1.5, at_most=True)
    place = folder / "searches"
    rows = searches(place)
    wall, busy, _ = _measured(REPORT, place)
    yield Figure(f"report of {rows:,} trials", wall, "s", aim=20.0, at_most=True, note=f"{busy:.1f} s of CPU")
    size = (place / "report.html").stat().st_size / 1e6
    yield Figure(f"report of {rows:,} trials, size", size, "MB", aim=3.0, at_most=True)


def _measured(call: str, place: Path) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and GiB of a call in a fresh process."""
    code = [sys.executable, "-c", _MEASURED.format(call=call), str(place)]
    wall, busy, gib = json.loads(subprocess.run(code, check=True, capture_output=True).stdout)
    return wall, busy, gib
