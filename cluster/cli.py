"""`unlearn doctor`, `unlearn submit` and `unlearn job`: where trials run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cluster.doctor import Finding, Probe
    from cluster.jobs import Job, Parcel

_HEAD = typer.Option(
    "http://127.0.0.1:8265", "--address", help="Ray's dashboard; elsewhere than here through a tunnel."
)
_ID = typer.Argument(..., metavar="ID", help="What `unlearn submit` printed.")
_SHOWN = 3  # failed checks in the error line


def register(
    app: typer.Typer,
    probe: Probe,
    models: Callable[[], object],
    parcel: Callable[[str, bool, Sequence[str]], Parcel],
) -> None:
    """Add this package's commands.

    Args:
        probe: Writes and reads a results place, and raises what went wrong.
        models: Gives the folder of trained models, and raises what keeps one from being stored there.
        parcel: The plan of a file or a name, checked, to be sent; whether it may name code of the user's,
            and what the command line changes of it.
    """
    register_files(app)

    @app.command()
    def doctor(
        address: str = typer.Option(
            "local", "--address", help="local, auto (the cluster this machine is in) or ray://HOST:10001."
        ),
        results: str = typer.Option("", "--results", help="A results place to write to and to read from."),
        timeout: float = typer.Option(60, "--timeout", min=5, help="Wait so many seconds for a cluster."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
    ) -> None:
        """Check this machine or a cluster before a long run."""
        import json
        from dataclasses import asdict

        from cluster.doctor import examine, reachable, storable

        found = examine(address, timeout)
        found += [storable(models)] if address == "local" else []
        found += [reachable(results, probe)] if results else []
        if as_json:
            typer.echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
        else:
            for line in _by_node(found):
                typer.echo(line)
        _fail(found)

    @app.command()
    def submit(
        plan: str = typer.Argument(..., help="A plan file, or the name of a plan that ships with unlearn."),
        address: str = _HEAD,
        results: str = typer.Option(
            "~/results", "--results", help="A folder on the head, or s3:// or gs:// for a bucket."
        ),
        scale: float | None = typer.Option(None, "--scale", help="Run this share of the work."),
        trials: int | None = typer.Option(None, "--trials", min=1, help="Trials per method and forget set."),
        workers: int | None = typer.Option(None, "--workers", min=1, help="Trials at once."),
        env: list[str] = typer.Option([], "--env", help="A variable of this environment to pass on."),  # noqa: B008
        allow_code: bool = typer.Option(
            False, "--allow-code", help="Let the plan import the module that it names."
        ),
        changes: list[str] = typer.Option(  # noqa: B008
            [], "--set", metavar="KEY=VALUE", help="A key of the plan, such as search.trials=5."
        ),
    ) -> None:
        """Run a whole plan on a cluster, as a job of Ray."""
        from cluster.jobs import Jobs

        given = {"--scale": scale, "--trials": trials, "--workers": workers}
        options = [text for name, value in given.items() if value is not None for text in (name, str(value))]
        if allow_code:
            options.append("--allow-code")
        options += [text for change in changes for text in ("--set", change)]
        job = Jobs(address).submit(parcel(plan, allow_code, changes), results, options, env)
        typer.echo(f"submitted: {job.id} (results: {job.results})")
        more = "" if address == _HEAD.default else f" --address {address}"
        for command in (f"logs -f {job.id}", f"status {job.id}", f"stop {job.id}"):
            typer.echo(f"unlearn job {command}{more}")
        if "://" not in job.results:
            typer.echo(f"unlearn job fetch {job.id} --to results{more}")

    jobs = typer.Typer(help="Watch, stop and fetch what was submitted.", rich_markup_mode=None)
    app.add_typer(jobs, name="job")

    @jobs.command("list")
    def list_jobs(address: str = _HEAD) -> None:
        """List submitted plans, the newest first."""
        from cluster.jobs import Jobs

        for job in Jobs(address).all():
            typer.echo(_told(job))

    @jobs.command()
    def status(job: str = _ID, address: str = _HEAD) -> None:
        """Say how a job stands, and why it failed."""
        from cluster.jobs import Jobs

        typer.echo(_told(Jobs(address).get(job)))

    @jobs.command()
    def logs(
        job: str = _ID,
        follow: bool = typer.Option(False, "-f", "--follow", help="Go on until the job ends."),
        address: str = _HEAD,
    ) -> None:
        """Show what a job prints."""
        from cluster.jobs import Jobs

        found = Jobs(address)
        if follow:
            typer.echo(_told(found.follow(job, lambda piece: typer.echo(piece, nl=False))))
        else:
            typer.echo(found.logs(job), nl=False)

    @jobs.command()
    def stop(job: str = _ID, address: str = _HEAD) -> None:
        """Stop a job; submitting its plan again goes on."""
        from cluster.jobs import Jobs

        ran = Jobs(address).stop(job)
        typer.echo(f"{job}: asked to stop" if ran else f"{job}: was not running")

    @jobs.command()
    def fetch(
        job: str = _ID,
        to: Path = typer.Option(..., "--to", help="A folder here; newer files replace those in it."),  # noqa: B008
        address: str = _HEAD,
    ) -> None:
        """Copy a job's results from a folder on the head to one here."""
        from cluster.jobs import Jobs

        count, size = Jobs(address).fetch(job, to.expanduser())
        typer.echo(f"{count} files, {size / 2**20:.1f} MiB: {to}")

    @jobs.command(hidden=True)
    def send(folder: Path) -> None:
        """Print a results folder's files as lines of text, for fetch."""
        from cluster.sending import send

        for line in send(folder):
            typer.echo(line)


def register_files(app: typer.Typer) -> None:
    """Add the commands about the cluster files that ship with the package."""

    @app.command()
    def files(
        name: str = typer.Argument("", metavar="[NAME]", help="A file to write out; without it, list all."),
        to: Path = typer.Option(Path(), "--to", metavar="FOLDER", help="Where to write it."),  # noqa: B008
    ) -> None:
        """List the cluster files that ship with unlearn, or write one out."""
        from cluster.files import shipped, summary, write

        if name:
            typer.echo(f"written: {write(name, to.expanduser())}; its first lines say what to change")
            return
        for file, path in shipped().items():
            typer.echo(f"{file:15}  {summary(path)}")

    @app.command()
    def nodes(path: Path = typer.Argument(..., metavar="FILE", help="Your copy of a cluster file.")) -> None:  # noqa: B008
        """Show what a cluster file would start, and start nothing."""
        from cluster.nodes import nodes as read

        for line in read(path).lines():
            typer.echo(line)


def _by_node(found: Sequence[Finding]) -> list[str]:
    """A line for each finding, under the name of its node where it has one."""
    nodes = list(dict.fromkeys(finding.node for finding in found))
    width = max(len(finding.name) for finding in found)
    lines = []
    for node in nodes:
        if node:
            lines.append(f"node {node}")
        lines += [
            f"{one.level:4}  {one.name:{width}}  {one.found}" + (f" -> {one.advice}" if one.advice else "")
            for one in found
            if one.node == node
        ]
    return lines


def _fail(found: Sequence[Finding]) -> None:
    from cluster.errors import ClusterError

    failed = [one for one in found if one.level == "FAIL"]
    if failed:
        where = [f"node {one.node}: " if one.node else "" for one in failed]
        told = [f"{w}{one.name}: {one.found}; {one.advice}" for w, one in zip(where, failed, strict=True)]
        more = f"; and {len(told) - _SHOWN} more, see above" if len(told) > _SHOWN else ""
        raise ClusterError("; ".join(told[:_SHOWN]) + more)


def _told(job: Job) -> str:
    """One line about a job."""
    import time

    line = f"{job.id}  {job.status.lower()}"
    if job.started:
        seconds = max(0.0, (job.ended or time.time()) - job.started)  # the cluster's clock may be ahead
        line += f"  {seconds / 60:.1f} min  {job.results}"
    return line + (f"  {job.reason}" if job.reason else "")
