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
    "http://127.0.0.1:8265",
    "--address",
    metavar="URL",
    help="Ray's dashboard; reach that of another machine through a tunnel.",
)
_ID = typer.Argument(..., metavar="ID", help="The id that `unlearn submit` printed.")
_SHOWN = 3  # failed checks in the error line


def register(
    app: typer.Typer,
    probe: Probe,
    models: Callable[[], object],
    parcel: Callable[[str, bool, Sequence[str]], Parcel],
) -> None:
    """Add this package's commands.

    Args:
        probe: Writes to a results location and reads from it; raises an error if either fails.
        models: Returns the folder of trained models; raises an error if a model cannot be stored there.
        parcel: Returns the plan of a file or a name, checked and ready to be sent. Its arguments are the
            plan, whether it may import user code, and the changes from the command line.
    """
    register_files(app)

    @app.command()
    def doctor(
        address: str = typer.Option(
            "local",
            "--address",
            metavar="ADDRESS",
            help="Ray cluster: local, auto (the cluster of this machine) or ray://HOST:10001.",
        ),
        results: str = typer.Option(
            "", "--results", metavar="RESULTS", help="A results location to test by writing and reading."
        ),
        timeout: float = typer.Option(
            60, "--timeout", metavar="SECONDS", min=5, help="Seconds to wait for a cluster."
        ),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
    ) -> None:
        """Check this machine or a cluster before a long run."""
        import json

        from cluster.doctor import examine, reachable, storable

        findings = examine(address, timeout)
        findings += [storable(models)] if address == "local" else []
        findings += [reachable(results, probe)] if results else []
        if as_json:
            typer.echo(json.dumps([finding.values() for finding in findings], indent=2, ensure_ascii=False))
        else:
            for line in _by_node(findings):
                typer.echo(line)
        _fail(findings)

    @app.command()
    def submit(
        plan: str = typer.Argument(..., metavar="PLAN", help="A plan file, or the name of a shipped plan."),
        address: str = _HEAD,
        results: str = typer.Option(
            "~/results",
            "--results",
            metavar="RESULTS",
            help="A folder on the head node, or an s3:// or gs:// address.",
        ),
        scale: float | None = typer.Option(
            None, "--scale", metavar="SHARE", help="Share of the work to run."
        ),
        trials: int | None = typer.Option(
            None, "--trials", metavar="N", min=1, help="Trials per method and forget set."
        ),
        workers: int | None = typer.Option(None, "--workers", metavar="N", min=1, help="Parallel workers."),
        env: list[str] = typer.Option(  # noqa: B008
            [], "--env", metavar="NAME", help="An environment variable to pass on; repeatable."
        ),
        allow_code: bool = typer.Option(
            False, "--allow-code", help="Allow the plan to import the module it names."
        ),
        changes: list[str] = typer.Option(  # noqa: B008
            [],
            "--set",
            metavar="KEY=VALUE",
            help="Change a key of the plan, such as search.trials=5; repeatable.",
        ),
    ) -> None:
        """Run a whole plan on a cluster, as a Ray job."""
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

    jobs = typer.Typer(help="List, watch, stop and fetch submitted jobs.", rich_markup_mode=None)
    app.add_typer(jobs, name="job")

    @jobs.command("list")
    def list_jobs(address: str = _HEAD) -> None:
        """List submitted plans, newest first."""
        from cluster.jobs import Jobs

        for job in Jobs(address).all():
            typer.echo(_summary(job))

    @jobs.command()
    def status(job: str = _ID, address: str = _HEAD) -> None:
        """Show the status of a job, and why it failed."""
        from cluster.jobs import Jobs

        typer.echo(_summary(Jobs(address).get(job)))

    @jobs.command()
    def logs(
        job: str = _ID,
        follow: bool = typer.Option(False, "-f", "--follow", help="Continue until the job ends."),
        address: str = _HEAD,
    ) -> None:
        """Show the output of a job."""
        from cluster.jobs import Jobs

        client = Jobs(address)
        if follow:
            typer.echo(_summary(client.follow(job, lambda piece: typer.echo(piece, nl=False))))
        else:
            typer.echo(client.logs(job), nl=False)

    @jobs.command()
    def stop(job: str = _ID, address: str = _HEAD) -> None:
        """Stop a job; submitting its plan again resumes it."""
        from cluster.jobs import Jobs

        ran = Jobs(address).stop(job)
        typer.echo(f"{job}: asked to stop" if ran else f"{job}: was not running")

    @jobs.command()
    def fetch(
        job: str = _ID,
        to: Path = typer.Option(  # noqa: B008
            ..., "--to", metavar="FOLDER", help="A local folder; newer files replace older ones."
        ),
        address: str = _HEAD,
    ) -> None:
        """Copy a job's results from the head node to a local folder."""
        from cluster.jobs import Jobs

        count, size = Jobs(address).fetch(job, to.expanduser())
        typer.echo(f"{count} files, {size / 2**20:.1f} MiB: {to}")

    @jobs.command(hidden=True)
    def send(folder: Path) -> None:
        """Print the files of a results folder as lines of text, for fetch."""
        from cluster.sending import send

        for line in send(folder):
            typer.echo(line)


def register_files(app: typer.Typer) -> None:
    """Add the commands about the cluster files that ship with the package."""

    @app.command()
    def files(
        name: str = typer.Argument("", metavar="NAME", help="A file to write; without it, all are listed."),
        to: Path = typer.Option(Path(), "--to", metavar="FOLDER", help="Output folder."),  # noqa: B008
    ) -> None:
        """List the cluster files that ship with unlearn, or write one."""
        from cluster.files import shipped, summary, write

        if name:
            typer.echo(f"written: {write(name, to.expanduser())}; its first lines list the values to change")
            return
        for file, path in shipped().items():
            typer.echo(f"{file:15}  {summary(path)}")

    @app.command()
    def nodes(path: Path = typer.Argument(..., metavar="FILE", help="Your copy of a cluster file.")) -> None:  # noqa: B008
        """Show the machines of a cluster file without starting them."""
        from cluster.nodes import nodes as read

        for line in read(path).lines():
            typer.echo(line)


def _by_node(findings: Sequence[Finding]) -> list[str]:
    """A line for each finding, under the name of its node if it has one."""
    nodes = list(dict.fromkeys(finding.node for finding in findings))
    width = max(len(finding.name) for finding in findings)
    lines = []
    for node in nodes:
        if node:
            lines.append(f"node {node}")
        lines += [
            f"{f.level:4}  {f.name:{width}}  {f.text}" + (f" -> {f.advice}" if f.advice else "")
            for f in findings
            if f.node == node
        ]
    return lines


def _fail(findings: Sequence[Finding]) -> None:
    from cluster.errors import ClusterError

    failures = [
        (f"node {f.node}: " if f.node else "") + f"{f.name}: {f.text}; {f.advice}"
        for f in findings
        if f.level == "FAIL"
    ]
    if failures:
        more = f"; and {len(failures) - _SHOWN} more, see above" if len(failures) > _SHOWN else ""
        raise ClusterError("; ".join(failures[:_SHOWN]) + more)


def _summary(job: Job) -> str:
    """One line about a job."""
    import time

    line = f"{job.id}  {job.status.lower()}"
    if job.started:
        seconds = max(0.0, (job.ended or time.time()) - job.started)  # the cluster's clock may be ahead
        line += f"  {seconds / 60:.1f} min  {job.results}"
    return line + (f"  {job.reason}" if job.reason else "")
