"""The shipped Slurm script, on a Slurm of two nodes that is created for the tests.

Each node is a network, process and mount namespace, with a separate address, processes, /dev/shm and disk,
like a machine. Ray's actions on a node (`ray stop` ends every Ray) do not affect anything else.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.files import shipped
from tests.faults.conftest import add_methods
from tests.marks import SEVERAL_NODES

if TYPE_CHECKING:
    import pandas as pd

pytestmark = [*SEVERAL_NODES, pytest.mark.timeout(900)]

NEEDED = ("slurmctld", "slurmd", "munged", "sbatch", "unshare", "nsenter", "ip")
NAMESPACES = ("--pid", "--mount", "--net", "--uts", "--ipc")

CONF = """
ClusterName=box
SlurmctldHost=ctl(10.77.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
KillWait=2
UnkillableStepTimeout=240
NodeName=n1 NodeAddr=10.77.0.11 CPUs=1 RealMemory=2000
NodeName=n2 NodeAddr=10.77.0.12 CPUs=1 RealMemory=2000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

# Runs as the first process of a new namespace; its children end with it.
BOX = """
set -euo pipefail
cd "$1"
mount -t tmpfs tmpfs /run
mount --bind hosts /etc/hosts
hostname ctl
ip link set lo up
ip link add name br0 type bridge
ip address add 10.77.0.1/24 dev br0
ip link set br0 up
munged --foreground --force --key-file="$1/munge.key" --socket="$1/munge.sock" --pid-file="$1/munged.pid" \
  --log-file="$1/munged.log" --seed-file="$1/munged.seed" &
while [ ! -S munge.sock ]; do sleep .1; done
slurmctld -D &
for i in 1 2; do
  ip netns add "n$i"
  ip link add name "veth$i" type veth peer name eth0 netns "n$i"
  ip link set "veth$i" master br0 up
  ip netns exec "n$i" unshare --pid --fork --mount-proc --mount --uts --ipc --kill-child \\
    bash -c "$2" node "$1" "$i" &
done
wait
"""

NODE = """
set -euo pipefail
hostname "n$2"
mount -t tmpfs -o size=8g tmpfs /dev/shm
mount -t tmpfs tmpfs "$1/local"
mount -t tmpfs tmpfs /sys/fs/cgroup  # no control groups are used, and those of this machine stay untouched
ip link set lo up
ip address add "10.77.0.1$2/24" dev eth0
ip link set eth0 up
slurmd -D -N "n$2" &
wait  # so that the shell, as the first process here, adopts the orphans that Ray leaves
"""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm of two nodes, which share `folder`."""

    folder: Path
    init: int

    def run(self, *words: str, **env: str) -> str:
        """Run a command inside; returns its output."""
        inside = [
            f"--target={self.init}",
            f"--wd={self.folder}",
            "--mount",
            "--net",
            "--uts",
            "--ipc",
            "--pid",
        ]
        done = subprocess.run(
            ["nsenter", *inside, *words],
            env={**environment(self.folder), **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def submit(self, *words: str, nodes: int = 2, **env: str) -> str:
        """Submit the shipped script with these arguments; returns the job's number."""
        script = str(shipped()["slurm.sbatch"])
        return self.run("sbatch", "--parsable", f"--nodes={nodes}", script, *words, **env).strip()

    def show(self, job: str) -> dict[str, str]:
        """The state of a job."""
        shown = self.run("scontrol", "show", "job", job, "--oneliner")
        return dict(word.partition("=")[::2] for word in shown.split() if "=" in word)

    def log(self, job: str) -> str:
        path = self.folder / f"unlearn-{job}.log"
        return path.read_text() if path.exists() else ""

    def wait(self, job: str, states: set[str], seconds: float) -> dict[str, str]:
        """Wait until a job is in one of these states; after too long, fail with its output."""
        end = time.monotonic() + seconds
        while (shown := self.show(job))["JobState"] not in states:
            late = time.monotonic() > end or shown["JobState"] in ("COMPLETED", "FAILED")
            nodes = self.run("sinfo", "--Node", "--long") if late else ""
            assert not late, f"{shown['JobState']} {shown['Reason']}, {nodes}: {self.log(job)}"
            time.sleep(0.5)
        return shown

    def let_start(self, job: str) -> None:
        """Start a requeued job once its former run has ended, for which Slurm gives two minutes."""
        end = time.monotonic() + 240
        while f"[{job}.batch] done with job" not in (self.folder / "slurmd-n1.log").read_text():
            assert time.monotonic() < end, (self.folder / "slurmd-n1.log").read_text()
            time.sleep(0.5)
        time.sleep(2)
        self.run("scontrol", "update", f"JobId={job}", "StartTime=now")


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "SLURM_CONF": str(folder / "slurm.conf"),
        "UNLEARN_TMP": str(folder / "local"),
        "UNLEARN_DATA": os.environ["UNLEARN_DATA"],
        "PYTHONPATH": str(folder / "plugin"),
        "FAULTY_FOLDER": str(folder / "plugin"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here; apt-get install slurm-wlm munge iproute2")
    unshare = ["unshare", "--fork", "--mount-proc", "--kill-child", *NAMESPACES]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("namespaces cannot be created here")
    folder = Path("/tmp") / f"slurm{os.getpid()}"  # short, because it contains sockets
    for name in ("state", "spool-n1", "spool-n2", "local", "home/.ray", "plugin"):
        (folder / name).mkdir(parents=True)
    add_methods(folder / "plugin")
    (folder / "slurm.conf").write_text(CONF.format(folder=folder))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    (folder / "hosts").write_text("127.0.0.1 localhost\n10.77.0.1 ctl\n10.77.0.11 n1\n10.77.0.12 n2\n")
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    (folder / "home" / ".ray" / "auth_token").write_text(secrets.token_hex(32))
    with (folder / "box.log").open("w") as log:
        box = subprocess.Popen(
            [*unshare, "bash", "-c", BOX, "box", str(folder), NODE],
            env=environment(folder),
            stdout=log,
            stderr=log,
        )
    try:
        yield _ready(folder, box)
    finally:
        box.kill()  # and with it the first process of the namespace, and so all others
        box.wait()
        shutil.rmtree(folder)


def _ready(folder: Path, box: subprocess.Popen[bytes]) -> Slurm:
    end = time.monotonic() + 60
    children = Path(f"/proc/{box.pid}/task/{box.pid}/children")
    while time.monotonic() < end:
        assert box.poll() is None, (folder / "box.log").read_text()
        try:
            slurm = Slurm(folder, int(children.read_text().split()[0]))
            if slurm.run("sinfo", "--noheader", "--format=%D %t").strip() == "2 idle":
                return slurm
        except (AssertionError, IndexError):
            pass
        time.sleep(0.3)
    logs = {path.name: path.read_text()[-2000:] for path in folder.glob("*.log")}
    raise AssertionError(f"Slurm does not start: {logs}")


@pytest.fixture(autouse=True)
def free(slurm: Slurm) -> Iterator[None]:
    """Both nodes are free again after a test, even if it failed."""
    yield
    slurm.run("scancel", "--user=root")
    end = time.monotonic() + 240
    while (
        slurm.run("squeue", "--noheader") or slurm.run("sinfo", "--noheader", "--format=%t").strip() != "idle"
    ):
        assert time.monotonic() < end, slurm.run("squeue") + slurm.run("sinfo", "--list-reasons")
        time.sleep(0.5)


PLAN = """
name: slurm
dataset: digits
references: 1
model: cnn2
task: full_class
methods: [scrub, slow]
training: {epochs: 1, batch_size: 128}
eval_limit: 100
search: {forget: "8", trials: 4, presets: false}
"""


def rows(results: Path) -> pd.DataFrame:
    import pandas as pd

    trials = results / "trials"
    return pd.read_parquet(trials) if any(trials.rglob("*.parquet")) else pd.DataFrame()


def refused(slurm: Slurm, address: str, port: int) -> bool:
    """Whether no process listens at the address."""
    script = f"import socket; socket.create_connection(('{address}', {port}), 5)"
    try:
        slurm.run(sys.executable, "-c", script)
    except AssertionError as error:
        return "ConnectionRefusedError" in str(error)
    return False


def until_it_says(slurm: Slurm, job: str, words: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while words not in slurm.log(job):
        assert time.monotonic() < end, slurm.log(job)
        assert slurm.show(job)["JobState"] in ("PENDING", "RUNNING"), slurm.log(job)
        time.sleep(0.3)


def test_a_locked_cluster_of_both_nodes_whose_time_limit_is_a_resume(slurm: Slurm, tmp_path: Path) -> None:
    (slurm.folder / "plan.yaml").write_text(PLAN)
    results = tmp_path / "results"  # a second try starts with an empty table
    hold = slurm.folder / "plugin" / "hold"
    hold.touch()  # trials of `slow` last as long as it exists
    job = slurm.submit("search", "plan.yaml", UNLEARN_RESULTS=str(results))
    until_it_says(slurm, job, "Running command on head node", 180)

    # The dashboard is closed to others, and nothing is open without the token.
    port = 20000 + int(job) % 10000
    assert not refused(slurm, "10.77.0.11", port)
    assert refused(slurm, "10.77.0.11", 8265)
    ask = ["ray", "status", "--address", f"10.77.0.11:{port}"]
    end = time.monotonic() + 120  # Ray's figures are some seconds old
    while (status := slurm.run(*ask, RAY_AUTH_MODE="token")).count(" 1 node_") != 2:
        assert time.monotonic() < end, f"not both nodes: {status}"
    with pytest.raises(AssertionError, match=r"(?i)unauthenticated|authentication"):
        slurm.run(*ask, RAY_AUTH_MODE="disabled")

    end = time.monotonic() + 240
    while not len(rows(results)):
        assert time.monotonic() < end, slurm.log(job)
        time.sleep(0.3)
    slurm.run("scancel", "--batch", "--signal=USR1", job)  # Slurm sends this two minutes before the limit
    shown = slurm.wait(job, {"PENDING"}, 120)
    hold.unlink()
    assert shown["Restarts"] == "1"
    assert "near the time limit" in slurm.log(job)
    kept = rows(results)
    assert 1 <= len(kept) < 8
    slurm.let_start(job)
    slurm.wait(job, {"COMPLETED"}, 400)

    table = rows(results)
    assert table.groupby("method", observed=True).size().to_dict() == {"scrub": 4, "slow": 4}
    assert not table.trial_id.duplicated().any()
    assert set(table.state) == {"complete"}, table.error.tolist()
    assert kept.merge(table, on=["trial_id", "started_at"]).shape[0] == len(kept)
    assert set(table.host) <= {"n1", "n2"}


RAY_THAT_STAYS = """#!/usr/bin/env bash
# A replacement of ray: the head works, the other node never notices the end.
[[ $1 == symmetric-run ]] || exit 0
[[ $(hostname) == n1 ]] || exec sleep infinity
while [[ $1 != -- ]]; do shift; done
"${@:2}"
"""
UNLEARN = """#!/usr/bin/env bash
echo "the driver has run"
exit 3
"""
RAY_AT_WORK = """#!/usr/bin/env bash
# A replacement of ray: its command never ends.
[[ $1 == symmetric-run ]] || exit 0
echo "Running command on head node"
exec sleep infinity
"""


def with_replacements(slurm: Slurm, **scripts: str) -> str:
    """A path on which these scripts precede the commands of the same names."""
    bin_ = Path(tempfile.mkdtemp(dir=slurm.folder))
    for name, text in scripts.items():
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    return f"{bin_}:{environment(slurm.folder)['PATH']}"


def test_a_node_that_does_not_hear_that_the_driver_has_ended_does_not_keep_the_job(slurm: Slurm) -> None:
    path = with_replacements(slurm, ray=RAY_THAT_STAYS, unlearn=UNLEARN)
    job = slurm.submit("search", "demo", UNLEARN_RESULTS="/nowhere", PATH=path)
    shown = slurm.wait(job, {"FAILED"}, 150)
    assert shown["ExitCode"] == "3:0", slurm.log(job)
    assert "the driver has run" in slurm.log(job)


def test_a_job_is_put_back_into_the_queue_so_often_and_no_more(slurm: Slurm) -> None:
    path = with_replacements(slurm, ray=RAY_AT_WORK)
    job = slurm.submit("search", "demo", UNLEARN_RESULTS="/nowhere", UNLEARN_MAX_RESTARTS="0", PATH=path)
    until_it_says(slurm, job, "Running command on head node", 180)
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    shown = slurm.wait(job, {"FAILED", "PENDING"}, 120)
    assert (shown["JobState"], shown["ExitCode"]) == ("FAILED", "2:0"), slurm.log(job)
    assert "requeued 0 times already (UNLEARN_MAX_RESTARTS); submit it again" in slurm.log(job)


def test_a_driver_that_fails_fails_the_job(slurm: Slurm) -> None:
    job = slurm.submit("search", "no-such-plan", nodes=1, UNLEARN_RESULTS="/nowhere")
    shown = slurm.wait(job, {"COMPLETED", "FAILED"}, 240)
    assert (shown["JobState"], shown["ExitCode"]) == ("FAILED", "2:0"), slurm.log(job)
    assert "there is no plan 'no-such-plan'" in slurm.log(job)
