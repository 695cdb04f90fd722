"""Plans that run on a cluster as jobs of Ray, so that the terminal they came from may close."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import re
import shlex
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from cluster.errors import ASKS_FOR_A_TOKEN, ClusterError, one_line
from cluster.sending import Receiver

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

R = TypeVar("R")
ADDRESS = "http://127.0.0.1:8265"
RESULTS = "~/results"
_ANSWER_S = 5.0
# Kept with a job: what it runs, and where it writes
_PLAN, _RESULTS = "unlearn_plan", "unlearn_results"
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")  # for plain http, in the order of requests
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class Parcel:
    """A plan to send.

    Attributes:
        name: The plan's name: letters, digits, '.', '_' and '-'.
        text: The file, with the names below for the files that it names.
        files: Name in the job's folder -> file here that travels with it.
    """

    name: str
    text: str
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A submitted plan.

    Attributes:
        status: Ray's word: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        started: Seconds since 1970, 0 if it has not.
        reason: Why it failed, in one line.
    """

    id: str
    plan: str
    results: str
    status: str
    started: float
    ended: float
    reason: str = ""


class Jobs:
    """The jobs of one cluster.

    Args:
        address: Of its dashboard.

    Raises:
        ClusterError: if nothing answers there within seconds, or what is sent there could be read or
            answered by others: an address beyond this machine that is neither https nor token-protected.
    """

    def __init__(self, address: str = ADDRESS) -> None:
        self.address = address.rstrip("/")
        _check(self.address)
        _use_token(self.address)
        _answer(self.address)
        self._client = _connect(self.address)

    def submit(
        self, parcel: Parcel, results: str = RESULTS, options: Sequence[str] = (), env: Sequence[str] = ()
    ) -> Job:
        """Start a plan on the cluster, or go on with what an earlier job of it left in the same results.

        Args:
            results: A folder on the head (`~/...` or absolute), or a bucket (s3://, gs://).
            options: More for `unlearn run`, such as `--trials 6`.
            env: Names of variables of this environment that the job gets too. Ray keeps their values with
                the job, readable for whoever may use the cluster.

        Raises:
            ClusterError: if a job of this plan is running, or something of it cannot travel.
        """
        _check_results(results)
        values = _values(env)
        ours = [job for job in self.all() if job.plan == parcel.name]
        for job in ours:
            if job.status not in _ENDED:
                raise ClusterError(
                    f"plan '{parcel.name}' is already running as '{job.id}'; watch it with "
                    f"`unlearn job logs -f {job.id}`, or stop it first"
                )
        number = 1 + max((_number(job.id) for job in ours), default=0)
        with tempfile.TemporaryDirectory() as folder:
            _pack(parcel, Path(folder))
            submitted = self._call(
                lambda: self._client.submit_job(
                    entrypoint=entrypoint(results, options),
                    submission_id=f"{parcel.name}-{number}",
                    runtime_env={"working_dir": folder, "env_vars": values},
                    metadata={_PLAN: parcel.name, _RESULTS: results},
                )
            )
        return self.get(submitted)

    def all(self) -> list[Job]:
        """The submitted plans, the newest first."""
        found = [_job(details) for details in self._call(self._client.list_jobs) if _is_ours(details)]
        return sorted(found, key=lambda job: job.started, reverse=True)

    def get(self, job: str) -> Job:
        """One of them.

        Raises:
            ClusterError: naming those that there are.
        """
        known = self.all()
        for one in known:
            if one.id == job:
                return one
        names = ", ".join(one.id for one in known) or "none was submitted yet"
        raise ClusterError(f"there is no job '{job}' at {self.address}; there are: {names}")

    def stop(self, job: str) -> bool:
        """Ask a job to end; returns whether it was running. What it finished is kept."""
        running = self.get(job)
        return bool(self._call(lambda: self._client.stop_job(running.id)))

    def logs(self, job: str) -> str:
        """What a job has printed so far."""
        found = self.get(job)
        return str(self._call(lambda: self._client.get_job_logs(found.id)))

    def follow(self, job: str, take: Callable[[str], object]) -> Job:
        """Give what a job prints piece by piece to `take`, until it ends; returns how it ended."""
        found = self.get(job)
        self._run(self._tail(found.id, take))
        return self._ended(found.id)

    def fetch(self, job: str, to: Path) -> tuple[int, int]:
        """Copy the results of a job from a folder on the head; returns the files and bytes that came.

        A follow-up job prints them there; its log on the head holds them until Ray ends. A running job's
        results can be fetched too: every table is whole, as a reader on the head would see it.

        Raises:
            ClusterError: if the results lie in a bucket or cannot be read, or did not all arrive.
        """
        found = self.get(job)
        if "://" in found.results:
            raise ClusterError(
                f"the results of '{job}' are in {found.results}; read them there, for example "
                f'pd.read_parquet("{found.results.rstrip("/")}/trials")'
            )
        command = f"unlearn job send {_quoted(found.results)}"
        sender = str(self._call(lambda: self._client.submit_job(entrypoint=command)))
        try:
            with Receiver(to) as receiver:
                self._run(self._tail(sender, receiver.feed))
                if not receiver.complete:
                    why = _reason(self._details(sender)) or "the log ended early; fetch again"
                    raise ClusterError(f"the results of '{job}' did not all come: {why}")
                return receiver.count, receiver.size
        finally:
            self._forget(sender)

    def _ended(self, job: str) -> Job:
        """A job whose log has ended; Ray may need a moment to see that the job has."""
        until = time.monotonic() + 10
        while (found := self.get(job)).status not in _ENDED and time.monotonic() < until:
            time.sleep(0.2)
        return found

    def _details(self, job: str) -> JobDetails:
        return self._call(lambda: self._client.get_job_info(job))

    def _forget(self, job: str) -> None:
        """Take a helper's record away; one that still runs is stopped first."""
        self._call(lambda: self._client.stop_job(job))
        until = time.monotonic() + 10
        while self._details(job).status not in _ENDED and time.monotonic() < until:
            time.sleep(0.2)
        self._call(lambda: self._client.delete_job(job))

    async def _tail(self, job: str, take: Callable[[str], object]) -> None:
        async for piece in self._client.tail_job_logs(job):
            take(piece)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._call(lambda: asyncio.run(work))

    def _call(self, work: Callable[[], R]) -> R:
        """Ray's errors, and those of the connection, in one line."""
        import aiohttp
        import requests
        from ray.exceptions import AuthenticationError

        try:
            return work()
        except AuthenticationError:
            raise ClusterError(f"{self.address} {ASKS_FOR_A_TOKEN}") from None
        except (requests.RequestException, aiohttp.ClientError, OSError) as error:
            raise ClusterError(
                f"the connection to {self.address} was lost ({one_line(error)}); what runs there goes on"
            ) from error
        except (RuntimeError, ValueError) as error:
            raise ClusterError(f"{self.address} refused: {one_line(error)}") from error


def entrypoint(results: str, options: Sequence[str] = ()) -> str:
    """The shell command that a job runs beside its plan."""
    more = "".join(f" {shlex.quote(option)}" for option in options)
    return f"unlearn run plan.yaml --address auto --results {_quoted(results)}{more}"


def _quoted(place: str) -> str:
    """As a word of the shell on the head, which knows what ~ is there."""
    return f"~/{shlex.quote(place[2:])}" if place.startswith("~/") and place[2:] else shlex.quote(place)


def _pack(parcel: Parcel, folder: Path) -> None:
    """What travels. The job runs in this folder, so nothing in it may pass for a module."""
    (folder / "plan.yaml").write_text(parcel.text)
    for name, path in parcel.files.items():
        shutil.copyfile(path, folder / name)


def _values(names: Sequence[str]) -> dict[str, str]:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise ClusterError(
            f"--env {missing[0]}: there is no such variable in this environment; give its name alone, and "
            "export its value first"
        )
    return {name: os.environ[name] for name in names}


def _check_results(place: str) -> None:
    """A job's own folder is deleted after it, so results must not go there."""
    if not ("://" in place or place.startswith(("/", "~/"))):
        raise ClusterError(
            f"results '{place}' would lie in the job's own folder, which is deleted after it; give a folder "
            "on the head (~/results or an absolute path) or a bucket (s3://bucket/results)"
        )


def _check(address: str) -> None:
    place = urlsplit(address)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise ClusterError(
            f"'{address}' is no address of a Ray dashboard; it looks like {ADDRESS} (`ray dashboard`, "
            "`kubectl port-forward` and `ssh -L 8265:127.0.0.1:8265 head` bring one there)"
        )
    token = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
    if place.scheme == "http" and not token and not _is_loopback(place.hostname):
        raise ClusterError(
            f"{address} is not on this machine, and neither https nor RAY_AUTH_MODE=token protects what is "
            f"sent there; use a tunnel and {ADDRESS} (docs/security.md)"
        )
    _avoid_proxy(address, place.scheme, place.hostname)


def _avoid_proxy(address: str, scheme: str, host: str) -> None:
    """What is meant for this machine stays on it; elsewhere a proxy would read plain http, the token too."""
    if _is_loopback(host):
        known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        hosts = dict.fromkeys(
            [*filter(None, known.split(",")), "localhost", "127.0.0.1", "::1", "[::1]", host]
        )
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(hosts)
        return
    names = [name for name in _PROXIES if os.environ.get(name)]
    if scheme == "http" and names and not urllib.request.proxy_bypass(host):
        raise ClusterError(
            f"{address} would be reached through the proxy of {names[0]}, which could read the token and the "
            f"plan; add {host} to no_proxy, or use https, or a tunnel and {ADDRESS}"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _use_token(address: str) -> None:
    """As Ray does for a cluster on this machine: where there is a token, it is used.

    A tunnel ends on this machine too. Anywhere else the user says so, with RAY_AUTH_MODE.
    """
    given = os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}
    stored = os.path.expanduser("~/.ray/auth_token")  # noqa: PTH111 - there may be no home folder
    if _is_loopback(urlsplit(address).hostname or "") and (given or Path(stored).exists()):
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _answer(address: str) -> None:
    """Fail within seconds where no dashboard answers; Ray's own client waits without end."""
    try:
        with urllib.request.urlopen(f"{address}/api/version", timeout=_ANSWER_S) as response:
            known = "ray_version" in json.loads(response.read(100_000))
    except urllib.error.HTTPError as error:
        known = error.code in (401, 403)  # it wants a token, and Ray's client sends that
    except ValueError:
        known = False
    except OSError as error:
        raise ClusterError(
            f"no Ray dashboard answers at {address} ({one_line(error)}); start one (`ray start --head`), or "
            "open a tunnel to it (`ray dashboard`, `kubectl port-forward`, `ssh -L`)"
        ) from None
    if not known:
        raise ClusterError(f"what answers at {address} is no Ray dashboard; is the port right?")


def _connect(address: str) -> JobSubmissionClient:
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        os.environ.pop(name, None)  # they would go before the address that was checked
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray").setLevel(logging.WARNING)
    for name in ("dashboard_sdk", "job.sdk"):
        logging.getLogger(f"ray.dashboard.modules.{name}").setLevel(logging.WARNING)
    try:
        return JobSubmissionClient(address)
    except AuthenticationError:
        raise ClusterError(f"{address} {ASKS_FOR_A_TOKEN}") from None
    except RuntimeError as error:
        raise ClusterError(f"{one_line(error)}; pip install 'unlearnbench[cluster]'") from error
    except (ConnectionError, OSError) as error:
        raise ClusterError(f"no Ray dashboard answers at {address}: {one_line(error)}") from error


def _is_ours(details: JobDetails) -> bool:
    return details.submission_id is not None and _PLAN in (details.metadata or {})


def _job(details: JobDetails) -> Job:
    kept = details.metadata or {}
    return Job(
        id=str(details.submission_id),
        plan=kept[_PLAN],
        results=kept.get(_RESULTS, ""),
        status=str(details.status),
        started=(details.start_time or 0) / 1000,
        ended=(details.end_time or 0) / 1000,
        reason=_reason(details),
    )


def _reason(details: JobDetails) -> str:
    """Why a job failed: the last error that it printed, or what Ray says."""
    if str(details.status) != "FAILED":
        return ""
    lines = [line.strip() for line in (details.message or "").splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if not errors and details.driver_exit_code == 127:
        return "there is no `unlearn` on the head; install unlearnbench there, in Ray's own environment"
    return errors[-1] if errors else lines[-1] if lines else "Ray gives no reason"


def _number(job: str) -> int:
    found = re.search(r"-(\d+)$", job)
    return int(found[1]) if found else 0
