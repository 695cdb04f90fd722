"""optuna-dashboard on the searches of a table; it shows new trials while a search writes them."""

from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from search.errors import ResultsError

PORT = 8080
_EVERY_S = 2.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Tell = Callable[[str], None]


def _say(line: str) -> None:
    print(line, file=sys.stderr)


class Studies:
    """The search studies of a table in an Optuna storage in memory, as of the last refresh."""

    def __init__(self, results: Path | str) -> None:
        from optuna.storages import InMemoryStorage

        from analysis.results.store import store_at

        self.storage = InMemoryStorage()
        self._results = results
        self._store = store_at(results)
        if not self._store.exists():
            raise ResultsError(f"no results folder {results}; give the folder that a search writes to")
        self._written: dict[str, float] = {}
        self._spaces: dict[str, Any] = {}

    @property
    def names(self) -> list[str]:
        return [study.study_name for study in self.storage.get_all_studies()]

    def refresh(self) -> None:
        """Read the files that were written since the last refresh.

        Raises:
            AnalysisError: when the table cannot be read.
            ResultsError: when the records of its runs cannot be read.
            OSError: when the results cannot be reached.
        """
        from analysis.results.load import trials
        from analysis.results.parquet import data_files
        from search.results.optuna_studies import rebuilt, searched_spaces

        written = data_files(self._store, "trials")
        if written == self._written:
            return
        if written:
            rows = trials(self._results)
            if not set(rows.loc[rows["kind"] == "search", "run_id"]) <= set(self._spaces):
                self._spaces = searched_spaces(self._results, rows)
            for study in rebuilt(rows, self._spaces):
                self._take(study)
        self._written = written

    def _take(self, study: Any) -> None:
        """Add missing trials to a study; a study with trials that are no longer in the table is rebuilt."""
        from optuna.study import load_study

        ids = {known.study_name: known._study_id for known in self.storage.get_all_studies()}
        if study.name in ids:
            held = self.storage.get_all_trials(ids[study.name], deepcopy=False)
            new = study.missing(held)
            if new is not None:
                load_study(study_name=study.name, storage=self.storage).add_trials(new)
                return
            self.storage.delete_study(ids[study.name])
        study.create(self.storage).add_trials(study.trials)


def dashboard(results: Path | str, port: int = PORT, host: str = "127.0.0.1", tell: Tell = _say) -> None:
    """Show the searches of a table in optuna-dashboard, until Ctrl-C.

    Args:
        results: The results folder, or its address in a bucket; it is only read.
        port: The port to listen on; 0 for any free port.
        host: The address to listen on. Everyone who can reach it can read the table.
        tell: Called with the dashboard's address, and with a line when the results cannot be read, and when
            they can be read again.

    Raises:
        AnalysisError: when the results cannot be read.
        ResultsError: when there is no such folder, optuna-dashboard is missing, or the port is taken.
    """
    try:
        with serving(results, port, host, tell) as (address, studies):
            count = len(studies.names)
            shown = f"{count} {'study' if count == 1 else 'studies'}" if count else "no search yet"
            tell(f"dashboard of {results} ({shown}): {address}  (Ctrl-C ends it)")
            if host not in _LOOPBACK:
                tell(f"everyone who reaches {host} can read these results; without --host only this machine")
            threading.Event().wait()
    except KeyboardInterrupt:
        return


@contextmanager
def serving(
    results: Path | str, port: int, host: str, tell: Tell, every_s: float = _EVERY_S
) -> Iterator[tuple[str, Studies]]:
    """The dashboard while the body runs: its address, and the studies that it shows."""
    if find_spec("optuna_dashboard") is None:
        raise ResultsError("the dashboard needs optuna-dashboard: pip install 'unlearnbench[dashboard]'")
    from optuna_dashboard import wsgi

    studies = Studies(results)
    studies.refresh()
    app = wsgi(studies.storage)
    if host in _LOOPBACK:
        app = _for_this_machine(app)
    try:
        server = make_server(host, port, app, server_class=_Server, handler_class=_Silent)
    except OSError as error:
        raise ResultsError(_unusable(error, host, port)) from error
    ended = threading.Event()
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True),
        threading.Thread(target=_follow, args=(studies, tell, every_s, ended), daemon=True),
    ]
    try:
        for thread in threads:
            thread.start()
        yield f"http://{host}:{server.server_port}/", studies
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


def _follow(studies: Studies, tell: Tell, every_s: float, ended: threading.Event) -> None:
    """Refresh until the end; an error is reported once, because a later refresh may succeed."""
    from analysis.errors import AnalysisError
    from analysis.results.store import reason

    trouble = ""
    while not ended.wait(every_s):
        try:
            studies.refresh()
        except (AnalysisError, ResultsError, OSError) as error:
            now = reason(error) if isinstance(error, OSError) else str(error)
            if now != trouble:
                tell(f"not refreshed: {now}")
            trouble = now
        else:
            if trouble:
                tell("refreshed again")
            trouble = ""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """No log: a page sends a request every few seconds."""


def _for_this_machine(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Refuse requests to other host names than this machine's.

    Otherwise a web page whose host name resolves to this machine could read the results through the browser.
    """

    def checked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = environ.get("HTTP_HOST", "localhost").rsplit(":", 1)[0].strip("[]")
        if name in _LOOPBACK:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"open the dashboard as 127.0.0.1 or localhost"]

    return checked


def _unusable(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken; give another one with --port, or 0 for any that is free"
    if error.errno == errno.EACCES:
        return f"this user may not listen at port {port}; give one above 1023 with --port"
    return f"cannot listen at {host}, port {port}: {error.strerror or error}"
