"""`unlearn doctor`: checks of this machine before a long run."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add this package's commands."""

    @app.command()
    def doctor() -> None:
        """Check this machine before a long run."""
        from cluster.doctor import checks
        from cluster.errors import ClusterError

        found = checks()
        for check in found:
            typer.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.found}")
        failed = [check for check in found if not check.ok]
        if failed:
            raise ClusterError("; ".join(check.advice for check in failed))
