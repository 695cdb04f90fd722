"""Time and memory of tables and importances of a million trials, and of a report of 60 searches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.performance.figures import Figure
from tests.performance.large_tables import million, searches

CALLS = {
    "overall": "from analysis import overall; overall(results)",
    "by_class": "from analysis import by_class; by_class(results)",
    "compare": "from analysis.published.compare import cells; cells(results)",
    "importance": "from analysis.searches.importance import of_searches; of_searches(results)",
}
REPORT = "from analysis.report.render import write_report; write_report(results)"
_MEASURED = """
import json, resource, sys, time
began, results = time.perf_counter(), sys.argv[1]
{call}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20]))
"""


def measure(folder: Path) -> Iterator[Figure]:
    """Wall time and resident memory of each, in a fresh process."""
    results = folder / "million"
    rows = million(results)
    for name, call in CALLS.items():
        wall, busy, gib = _measured(call, results)
        note = f"{busy:.1f} s of CPU"
        yield Figure(f"{name} of {rows:,} trials", wall, "s", aim=5.0, at_most=True, note=note)
        yield Figure(f"{name} of {rows:,} trials, memory", gib, "GiB", aim=1.5, at_most=True)
    results = folder / "searches"
    rows = searches(results)
    wall, busy, _ = _measured(REPORT, results)
    yield Figure(f"report of {rows:,} trials", wall, "s", aim=20.0, at_most=True, note=f"{busy:.1f} s of CPU")
    size = (results / "report.html").stat().st_size / 1e6
    yield Figure(f"report of {rows:,} trials, size", size, "MB", aim=3.0, at_most=True)


def _measured(call: str, results: Path) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and GiB of a call in a fresh process."""
    code = [sys.executable, "-c", _MEASURED.format(call=call), str(results)]
    wall, busy, gib = json.loads(subprocess.run(code, check=True, capture_output=True).stdout)
    return wall, busy, gib
