"""Drivers as processes, a plug-in with methods that misbehave, and a cluster of several nodes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

UNLEARN = [sys.executable, "-P", "-c", "from unlearnbench.command import main; main()"]
SMALL_STORE = 80 * 2**20  # bytes
# Files of a user in the folder where a search is started: neither driver nor workers run them
HOSTILE = ("analysis", "benchmarks", "cluster", "numpy", "pyarrow", "pydantic", "search", "statistics")
SHIFT = "seconds-of-the-clock"  # in the folder of the plug-in
PLAN = """
name: faults
dataset: digits
references: 1
model: cnn2
task: full_class
eval_limit: 100
methods: [{method}]
training: {{epochs: 1, batch_size: 128}}
search: {{forget: "8", trials: {trials}, space: {{{method}: {space}}}}}
resources: {resources}
"""


@pytest.fixture(scope="session")
def trials() -> int:
    """Trials of each search; `make faults` sets 250."""
    return int(os.environ.get("FAULT_TRIALS", "8"))


@pytest.fixture(scope="session")
def kills() -> int:
    """Number of times a driver is killed; `make faults` sets 20."""
    return int(os.environ.get("FAULT_KILLS", "1"))


@contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """Every process that is started inside knows the methods of `methods.py`; the folder contains the files
    that control them."""
    add_methods(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        patch.setenv("FAULTY_FOLDER", str(folder))
        yield folder


def add_methods(folder: Path) -> None:
    """Make a folder a plug-in with the methods of `methods.py`, for processes that have it on their path."""
    shutil.copy(Path(__file__).with_name("methods.py"), folder / "faulty.py")
    info = folder / "faulty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[unlearnbench.methods]\nfaulty = faulty\n")


@pytest.fixture(scope="package", autouse=True)
def plugin(data_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the plug-in. A file there moves the clock of every Python process started from here."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "sitecustomize.py").write_text(
        "import time\n_now = time.time\n"
        f"def moved():\n    try:\n        return _now() + float(open({str(folder / SHIFT)!r}).read())\n"
        "    except (OSError, ValueError):\n        return _now()\n"
        "time.time = moved\n"
    )
    with installed(folder):
        yield folder


@pytest.fixture
def hold(plugin: Path) -> Iterator[Path]:
    """Trials of the method `slow` last as long as this file exists."""
    with removed(plugin / "hold") as file:
        yield file


@contextmanager
def removed(path: Path) -> Iterator[Path]:
    """A path; a file that is made at it is removed afterwards."""
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@dataclass
class Run:
    """A plan, the location of its results, and its driver."""

    folder: Path
    command: list[str]
    drivers: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self) -> subprocess.Popen[str]:
        log = (self.folder / "driver.log").open("a")
        here = self.folder / "here"
        here.mkdir(exist_ok=True)
        for name in HOSTILE:
            (here / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the working folder was run')\n")
        driver = subprocess.Popen(
            self.command, stdout=log, stderr=log, text=True, start_new_session=True, cwd=here
        )
        self.drivers.append(driver)
        return driver

    def finish(self, timeout: float = 240) -> None:
        """Wait until the last driver has ended well."""
        assert self.drivers[-1].wait(timeout) == 0, self.log()

    def log(self) -> str:
        return (self.folder / "driver.log").read_text()[-3000:]

    def rows(self) -> pd.DataFrame:
        """What is in the table now."""
        folder = self.results / "trials"
        return pd.read_parquet(folder) if folder.exists() else pd.DataFrame()

    def until(self, ready: Callable[[], Any], what: str, timeout: float = 240) -> Any:
        """Wait for something to become true."""
        began = time.monotonic()
        while not (result := ready()):
            assert time.monotonic() - began < timeout, f"{what} did not come: {self.log()}"
            time.sleep(0.1)
        return result

    def until_rows(self, count: int) -> None:
        self.until(lambda: len(self.rows()) >= count, f"row {count}")

    def check(self, trials: int) -> pd.DataFrame:
        """Exactly so many trials, none twice, each complete or with a reason."""
        rows = self.rows()
        assert sorted(rows.trial_number) == list(range(trials))
        assert rows.trial_id.is_unique
        bad = rows[rows.state != "complete"]
        assert (bad.error.str.len() > 0).all()
        return rows


@pytest.fixture
def new_run(tmp_path: Path, trials: int) -> Iterator[Callable[..., Run]]:
    """Makes runs of a method; what is left of their drivers is ended."""
    made: list[Run] = []

    def make(
        method: str,
        *options: str,
        space: str = "{}",
        resources: str = "{workers: 1}",
        count: int | None = None,
        address: str = "local",
    ) -> Run:
        plan = tmp_path / "faults.yaml"
        plan.write_text(PLAN.format(method=method, trials=count or trials, space=space, resources=resources))
        target = ["--results", str(tmp_path / "results"), "--address", address]
        run = Run(tmp_path, [*UNLEARN, "search", str(plan), *target, *options])
        made.append(run)
        return run

    yield make
    for driver in (driver for run in made for driver in run.drivers):
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()


@pytest.fixture
def reader() -> Iterator[Callable[[Run], None]]:
    """Reads a run's table in a loop during the test; no read may fail."""
    over = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        reads: list[Future[int]] = []
        yield lambda run: reads.append(thread.submit(read_until, over, run))
        over.set()
    for count in reads:
        assert count.result() > 0


def read_until(over: threading.Event, run: Run) -> int:
    """Read repeatedly; returns how often there were rows to read."""
    reads = rows = 0
    while not over.wait(0.2):
        if any((run.results / "trials").rglob("*.parquet")):
            count = len(run.rows())
            assert count >= rows, f"{rows} rows became {count}"
            reads, rows = reads + 1, count
    return reads


def workers(of: int) -> list[psutil.Process]:
    """The warm workers among a process's descendants."""
    processes = []
    for process in psutil.Process(of).children(recursive=True):
        try:
            title = " ".join(process.cmdline())
            if "TrialActor" in title or "_Inner.train" in title:  # between trials, in one
                processes.append(process)
        except psutil.Error:
            continue
    return processes


@pytest.fixture(scope="package")
def head(plugin: Path) -> Iterator[Any]:
    """A cluster of one node, with capacity for one trial and a small object store."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": SMALL_STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def cluster(head: Any) -> Iterator[Any]:
    """The cluster of these tests, to which they add the nodes they need."""
    yield head
    for node in list(head.worker_nodes):
        head.remove_node(node, allow_graceful=False)
