"""Plans that run on a cluster as jobs of Ray, so that the terminal that submitted them may be closed."""

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
# Stored with a job: its plan, and where it writes
_PLAN, _RESULTS = "unlearn_plan", "unlearn_results"
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")  # for plain http, in the order of requests
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class Parcel:
    """A plan to send.

    Attributes:
        name: The plan's name: letters, digits, '.', '_' and '-'.
        text: The plan file; it names its files as in `files`.
        files: Name in the job's folder -> local file that is sent with the plan.
    """

    name: str
    text: str
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A submitted plan.

    Attributes:
        status: Ray's status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        started: Seconds since 1970, 0 if it has not started.
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
        address: The address of its dashboard.

    Raises:
        ClusterError: if nothing answers there within seconds, or if others could read or answer the requests:
            an address on another machine that is neither https nor protected by a token.
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
        """Start a plan on the cluster, or resume the work of an earlier job of it in the same results.

        Args:
            results: A folder on the head (`~/...` or absolute), or a bucket (s3://, gs://).
            options: Further options for `unlearn run`, such as `--trials 6`.
            env: Names of variables of this environment that the job gets too. Ray stores their values
                with the job, where all users of the cluster can read them.

        Raises:
            ClusterError: if a job of this plan is running, or a part of it cannot be sent.
        """
        _check_results(results)
        values = _values(env)
        jobs = [job for job in self.all() if job.plan == parcel.name]
        for job in jobs:
            if job.status not in _ENDED:
                raise ClusterError(
                    f"plan '{parcel.name}' is already running as '{job.id}'; watch it with "
                    f"`unlearn job logs -f {job.id}`, or stop it first"
                )
        number = 1 + max((_number(job.id) for job in jobs), default=0)
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
        jobs = [_job(details) for details in self._call(self._client.list_jobs) if _is_plan(details)]
        return sorted(jobs, key=lambda job: job.started, reverse=True)

    def get(self, job: str) -> Job:
        """A submitted plan by its id.

        Raises:
            ClusterError: for an unknown id; the message lists the known ones.
        """
        known = self.all()
        for submitted in known:
            if submitted.id == job:
                return submitted
        names = ", ".join(submitted.id for submitted in known) or "none was submitted yet"
        raise ClusterError(f"there is no job '{job}' at {self.address}; there are: {names}")

    def stop(self, job: str) -> bool:
        """Ask a job to end; returns whether it was running. Finished trials are kept."""
        running = self.get(job)
        return bool(self._call(lambda: self._client.stop_job(running.id)))

    def logs(self, job: str) -> str:
        """The output of a job so far."""
        known = self.get(job)
        return str(self._call(lambda: self._client.get_job_logs(known.id)))

    def follow(self, job: str, take: Callable[[str], object]) -> Job:
        """Pass the output of a job piece by piece to `take`, until it ends; returns the job as it ended."""
        known = self.get(job)
        self._run(self._tail(known.id, take))
        return self._ended(known.id)

    def fetch(self, job: str, to: Path) -> tuple[int, int]:
        """Copy the results of a job from a folder on the head; returns the number of files and of bytes.

        A second job prints them there; its log on the head contains them until Ray ends. The results of a
        running job can be fetched too: every table is whole, as a reader on the head would see it.

        Raises:
            ClusterError: if the results are in a bucket or cannot be read, or did not all arrive.
        """
        known = self.get(job)
        if "://" in known.results:
            raise ClusterError(
                f"the results of '{job}' are in {known.results}; read them there, for example "
                f'pd.read_parquet("{known.results.rstrip("/")}/trials")'
            )
        command = f"unlearn job send {_quoted(known.results)}"
        sender = str(self._call(lambda: self._client.submit_job(entrypoint=command)))
        try:
            with Receiver(to) as receiver:
                self._run(self._tail(sender, receiver.feed))
                if not receiver.complete:
                    why = _reason(self._details(sender)) or "the log ended early; fetch again"
                    raise ClusterError(f"the results of '{job}' did not all arrive: {why}")
                return receiver.count, receiver.size
        finally:
            self._forget(sender)

    def _ended(self, job: str) -> Job:
        """A job whose log has ended; Ray may need a moment to notice that the job has ended too."""
        until = time.monotonic() + 10
        while (known := self.get(job)).status not in _ENDED and time.monotonic() < until:
            time.sleep(0.2)
        return known

    def _details(self, job: str) -> JobDetails:
        return self._call(lambda: self._client.get_job_info(job))

    def _forget(self, job: str) -> None:
        """Delete the record of a sending job; if it still runs, it is stopped first."""
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
        """Call Ray's client; its errors, and those of the connection, become one line."""
        import aiohttp
        import requests
        from ray.exceptions import AuthenticationError

        try:
            return work()
        except AuthenticationError:
            raise ClusterError(f"{self.address} {ASKS_FOR_A_TOKEN}") from None
        except (requests.RequestException, aiohttp.ClientError, OSError) as error:
            raise ClusterError(
                f"the connection to {self.address} was lost ({one_line(error)}); its jobs continue to run"
            ) from error
        except (RuntimeError, ValueError) as error:
            raise ClusterError(f"{self.address} refused: {one_line(error)}") from error


def entrypoint(results: str, options: Sequence[str] = ()) -> str:
    """The shell command of a job, which runs in the folder of its plan."""
    more = "".join(f" {shlex.quote(option)}" for option in options)
    return f"unlearn run plan.yaml --address auto --results {_quoted(results)}{more}"


def _quoted(location: str) -> str:
    """A results location, quoted for the shell on the head, which expands ~."""
    rest = location.removeprefix("~/")
    return f"~/{shlex.quote(rest)}" if rest and rest != location else shlex.quote(location)


def _pack(parcel: Parcel, folder: Path) -> None:
    """Write the files to send. The job runs in this folder, so it must not contain modules."""
    (folder / "plan.yaml").write_text(parcel.text)
    for name, path in parcel.files.items():
        shutil.copyfile(path, folder / name)


def _values(names: Sequence[str]) -> dict[str, str]:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise ClusterError(
            f"--env {missing[0]}: there is no such variable in this environment; pass only its name, and "
            "export its value first"
        )
    return {name: os.environ[name] for name in names}


def _check_results(location: str) -> None:
    """The working folder of a job is deleted after it, so it must not contain the results."""
    if not ("://" in location or location.startswith(("/", "~/"))):
        raise ClusterError(
            f"results '{location}' would be in the job's folder, which is deleted after it; name a folder "
            "on the head (~/results or an absolute path) or a bucket (s3://bucket/results)"
        )


def _check(address: str) -> None:
    url = urlsplit(address)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ClusterError(
            f"'{address}' is not the address of a Ray dashboard; an example is {ADDRESS} (`ray dashboard`, "
            "`kubectl port-forward` or `ssh -L 8265:127.0.0.1:8265 head` open a tunnel to it)"
        )
    token = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
    if url.scheme == "http" and not token and not _is_loopback(url.hostname):
        raise ClusterError(
            f"{address} is not on this machine, and neither https nor RAY_AUTH_MODE=token protects the "
            f"connection; use a tunnel and {ADDRESS} (docs/security.md)"
        )
    _avoid_proxy(address, url.scheme, url.hostname)


def _avoid_proxy(address: str, scheme: str, host: str) -> None:
    """Never use a proxy for this machine; refuse one that would read plain http, with the token."""
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
    """Use the token if there is one, as Ray does for a cluster on this machine.

    This includes tunnels, which end on this machine. For all other addresses, users set RAY_AUTH_MODE.
    """
    given = os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}
    stored = os.path.expanduser("~/.ray/auth_token")  # noqa: PTH111 - there may be no home folder
    if _is_loopback(urlsplit(address).hostname or "") and (given or Path(stored).exists()):
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _answer(address: str) -> None:
    """Fail within seconds if no dashboard answers; Ray's client waits forever."""
    try:
        with urllib.request.urlopen(f"{address}/api/version", timeout=_ANSWER_S) as response:
            known = "ray_version" in json.loads(response.read(100_000))
    except urllib.error.HTTPError as error:
        known = error.code in (401, 403)  # it requires a token, which Ray's client sends
    except ValueError:
        known = False
    except OSError as error:
        raise ClusterError(
            f"no Ray dashboard answers at {address} ({one_line(error)}); start one (`ray start --head`), or "
            "open a tunnel to it (`ray dashboard`, `kubectl port-forward`, `ssh -L`)"
        ) from None
    if not known:
        raise ClusterError(f"the server at {address} is not a Ray dashboard; is the port right?")


def _connect(address: str) -> JobSubmissionClient:
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        os.environ.pop(name, None)  # they would override the address that was checked
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


def _is_plan(details: JobDetails) -> bool:
    return details.submission_id is not None and _PLAN in (details.metadata or {})


def _job(details: JobDetails) -> Job:
    metadata = details.metadata or {}
    return Job(
        id=str(details.submission_id),
        plan=metadata[_PLAN],
        results=metadata.get(_RESULTS, ""),
        status=str(details.status),
        started=(details.start_time or 0) / 1000,
        ended=(details.end_time or 0) / 1000,
        reason=_reason(details),
    )


def _reason(details: JobDetails) -> str:
    """Why a job failed: the last error that it printed, or Ray's message."""
    if str(details.status) != "FAILED":
        return ""
    lines = [line.strip() for line in (details.message or "").splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if not errors and details.driver_exit_code == 127:
        return "there is no `unlearn` on the head; install unlearnbench there, in Ray's environment"
    return errors[-1] if errors else lines[-1] if lines else "Ray gives no reason"


def _number(job: str) -> int:
    number = re.search(r"-(\d+)$", job)
    return int(number[1]) if number else 0
