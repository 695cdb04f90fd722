"""Drivers as processes of their own, a plug-in with methods that misbehave, and clusters of several nodes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

UNLEARN = [sys.executable, "-P", "-c", "from unlearnbench.command import main; main()"]
# Files of a user's own, in the folder where a search is started: neither driver nor workers run them
HOSTILE = ("analysis", "benchmarks", "cluster", "numpy", "pyarrow", "pydantic", "search", "statistics")
PLAN = """
name: faults
dataset: digits
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
    return int(os.environ.get("FAULT_TRIALS", "16"))


@pytest.fixture(scope="session")
def kills() -> int:
    """How often a driver is killed; `make faults` sets 20."""
    return int(os.environ.get("FAULT_KILLS", "1"))


@pytest.fixture(scope="package", autouse=True)
def plugin(data_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Makes every process started from here find the methods of this folder as those of a plug-in."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copy(Path(__file__).with_name("methods.py"), folder / "faulty.py")
    info = folder / "faulty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[unlearnbench.methods]\nfaulty = faulty\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield folder


@dataclass
class Run:
    """A plan, where its results go, and its driver."""

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

    def until(self, ready: Callable[[], Any], what: str, timeout: float = 120) -> Any:
        """Wait for something to become true."""
        began = time.monotonic()
        while not (found := ready()):
            assert time.monotonic() - began < timeout, f"{what} did not come: {self.log()}"
            time.sleep(0.1)
        return found

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
    ) -> Run:
        plan = tmp_path / "faults.yaml"
        plan.write_text(PLAN.format(method=method, trials=count or trials, space=space, resources=resources))
        run = Run(tmp_path, [*UNLEARN, "search", str(plan), "--results", str(tmp_path / "results"), *options])
        made.append(run)
        return run

    yield make
    for driver in (driver for run in made for driver in run.drivers):
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()


_READER = """
import sys, time
import pandas as pd
from pathlib import Path
folder, told = Path(sys.argv[1]), Path(sys.argv[2])
reads = rows = 0
while not (folder / ".." / "stop").exists():
    if any(folder.rglob("*.parquet")):
        found = len(pd.read_parquet(folder))
        assert found >= rows, f"{rows} rows became {found}"
        reads, rows = reads + 1, found
        told.write_text(f"{reads} {rows}")
    time.sleep(0.1)
"""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Callable[[Run], None]]:
    """Starts a process that reads the table in a loop; in the end it must have met nothing unreadable."""
    told = tmp_path / "reader.txt"
    processes: list[subprocess.Popen[str]] = []

    def start(run: Run) -> None:
        command = [sys.executable, "-c", _READER, str(run.results / "trials"), str(told)]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))

    yield start
    (tmp_path / "results" / "stop").touch()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        reads, _ = told.read_text().split()
        assert int(reads) > 0


def workers(of: int) -> list[psutil.Process]:
    """The warm workers among a process's descendants."""
    found = []
    for process in psutil.Process(of).children(recursive=True):
        try:
            title = " ".join(process.cmdline())
            if "TrialActor" in title or "_Inner.train" in title:  # between trials, in one
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="package")
def head(plugin: Path) -> Iterator[Any]:
    """A cluster that runs no trials."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def cluster(head: Any) -> Iterator[Any]:
    """A cluster to which tests add the nodes they need; they inherit the variables set before."""
    yield head
    for node in list(head.worker_nodes):
        head.remove_node(node, allow_graceful=False)
