"""Locations of results: addresses, a real S3 server, and an outage of that server."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from analysis.results import load, store
from search.errors import ResultsError
from search.plans.files import parse
from search.plans.plan import Plan
from search.results.storage import patiently, probe, store_at
from search.results.writer import Finished, Results
from search.tools.dashboard import Studies
from search.tools.export import export_optuna
from tests import s3
from tests.search.conftest import PLAN
from tests.search.made_searches import write_search
from tests.search.reading import read_in_a_loop
from tests.search.results.made_trials import trial
from tests.search.test_lives import CLASS


@pytest.fixture(scope="module")
def server() -> Iterator[s3.Server]:
    with s3.running() as running:
        yield running


@pytest.fixture
def bucket(server: s3.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh prefix, with an environment as the tools of AWS read it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    for name, value in s3.KEYS.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.BUCKET}/{tmp_path.name}/deep"


def secrets(server: s3.Server) -> list[str]:
    return [server.endpoint, server.endpoint.rpartition(":")[2], *list(s3.KEYS.values())[:2]]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3:/bucket/x", ["names no bucket", "s3://bucket/prefix"]),
        ("s3://", ["names no bucket"]),
        ("gs:///x", ["names no bucket", "gs://bucket/prefix"]),
        ("s3a://bucket/x", ["did you mean s3://"]),
        ("gcs://bucket/x", ["did you mean gs://"]),
        ("ss://bucket/x", ["did you mean s3://"]),
        ("ftp://host/x", ["give a folder, s3://bucket/prefix or gs://bucket/prefix"]),
        ("s3://Bucket/x", ["bucket names have lower-case letters"]),
        ("s3://bucket/a/../b", ["no '.' or '..'"]),
        ("s3://bucket/x?endpoint_override=host", ["come from the environment", "AWS_ENDPOINT_URL"]),
        ("s3://AKID:hush@bucket/x", ["come from the environment", "AWS_ACCESS_KEY_ID"]),
    ],
)
def test_an_address_without_a_location_is_a_single_line(address: str, words: list[str]) -> None:
    with pytest.raises(ResultsError) as caught:
        store_at(address)
    message = str(caught.value)
    assert [word for word in words if word not in message] == []
    assert "\n" not in message
    assert "hush" not in message


def test_paths_are_folders(tmp_path: Path) -> None:
    for path in (tmp_path, str(tmp_path), "results", "a:b", "./s3"):
        assert isinstance(store_at(path), store.Folder)


def test_a_working_location_is_left_as_it_was(bucket: str, tmp_path: Path) -> None:
    for location in (bucket, tmp_path / "new"):
        probe(location)
        assert store_at(location).files() == {}


def test_the_reason_for_a_failed_write_is_a_line_without_secrets(
    bucket: str, server: s3.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    cases: list[tuple[str, Callable[[], Any], str]] = [
        (str(tmp_path / "file"), lambda: None, "Not a directory"),
        ("s3://no-such-bucket/x", lambda: None, "there is no such bucket"),
        (bucket, server.shut, "does not answer"),
    ]
    for location, before, words in cases:
        before()
        with pytest.raises(ResultsError) as caught:
            probe(location)
        message = str(caught.value)
        assert words in message
        assert "\n" not in message
        assert not [secret for secret in secrets(server) if secret in message]
    server.open()


def test_keys_that_the_server_does_not_know_are_reported(bucket: str, server: s3.Server) -> None:
    server.check_keys_after(0)
    try:
        with pytest.raises(ResultsError, match="does not know the keys in the environment"):
            probe(bucket)
    finally:
        server.check_keys_after(float("inf"))


def test_missing_keys_and_missing_rights_are_distinguished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of AWS; moto fails on requests without keys."""
    denied = OSError("When uploading ...: AWS Error ACCESS_DENIED during PutObject operation: Access Denied")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    assert store.reason(denied).startswith("access is denied; the keys in the environment need the right")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.reason(denied).startswith("there are no keys in the environment; set AWS_ACCESS_KEY_ID")
    without = OSError("google::cloud::Status(UNAVAILABLE: ... Could not create a OAuth2 access token to ...")
    assert "set GOOGLE_APPLICATION_CREDENTIALS" in store.reason(without)


def test_a_run_in_a_bucket_is_read_by_pandas_resumed_and_reported(bucket: str, server: s3.Server) -> None:
    for start in (0, 2):
        with Results(bucket, "run") as results:
            assert [row["trial_number"] for row in results.rows()] == list(range(start))
            results.save_plan({"run_id": "run", "plan": {"name": "tiny"}})
            for n in range(start, start + 2):
                results.append([Finished(trial(n), [CLASS], [{"image": n}])])
    table = pd.read_parquet(f"{bucket}/trials")
    assert sorted(table.trial_number) == [0, 1, 2, 3]
    assert set(table.method) == {"jit"}
    assert sorted(pd.read_parquet(f"{bucket}/samples").image) == [0, 1, 2, 3]
    rows = load.trials(bucket)
    assert sorted(rows.trial_number) == [0, 1, 2, 3]
    assert len(load.classes(bucket)) == 4
    assert "gap" in set(load.columns(bucket).column)
    everything = b"".join(store_at(bucket).read(file).to_pybytes() for file in store_at(bucket).files())
    assert not [secret for secret in secrets(server) if secret.encode() in everything]


def test_an_old_file_in_a_bucket_gets_the_columns_of_today_unless_its_run_is_held(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def old(run: str) -> str:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"run_id": [run], "trial_id": [f"{run}:0"], "gap": [2]}), sink)
        file = f"trials/dataset=digits/model=cnn2/task=full_class/method=jit/{run}.parquet"
        store_at(bucket).write(file, sink.getvalue())
        return file

    with Results(bucket, "held"):
        held, free = old("held"), old("free")
        before = store_at(bucket).read(held)
        Results(bucket, "run").close()
        assert store_at(bucket).read(held).equals(before)
        names = pq.ParquetFile(pa.BufferReader(store_at(bucket).read(free))).schema_arrow.names
        assert "param_sigma" in names
    Results(bucket, "run").close()
    assert not store_at(bucket).read(held).equals(before)
    assert not [file for file in store_at(bucket).files() if "leases" in file]


def test_a_reader_in_another_process_never_sees_half_an_object(bucket: str) -> None:
    with Results(bucket, "run") as results:
        results.append([Finished(trial(0))])
        with read_in_a_loop(load.trials, bucket) as counts:
            for n in range(1, 40):
                results.append([Finished(trial(n))])
    assert len(set(counts)) > 5


def test_a_server_that_is_down_for_a_while_loses_and_doubles_nothing(bucket: str, server: s3.Server) -> None:
    lines: list[str] = []
    with Results(bucket, "run", tell=lines.append, patience_s=60) as results:
        results.save_plan({"run_id": "run"})
        results.append([Finished(trial(0))])
        server.shut()
        back = threading.Timer(4.0, server.open)
        back.start()
        results.append([Finished(trial(1), [], [{"image": 1}])])
        back.join()
        results.append([Finished(trial(2))])
    assert len(lines) == 2, lines
    assert "its server does not answer" in lines[0]
    assert "trying again for up to 60 s" in lines[0]
    assert "could be written again after" in lines[1]
    assert not [secret for secret in secrets(server) if secret in " ".join(lines)]
    assert sorted(pd.read_parquet(f"{bucket}/trials").trial_number) == [0, 1, 2]
    assert list(pd.read_parquet(f"{bucket}/samples").image) == [1]
    [record] = store_at(bucket).files("_runs")
    [outage] = yaml.safe_load(store_at(bucket).read(record).to_pybytes())["outages"]
    assert outage["failed"] >= 1
    assert 3 < outage["seconds"] < 60


def test_a_server_that_stays_away_ends_the_run_with_what_was_finished(bucket: str, server: s3.Server) -> None:
    with Results(bucket, "run", tell=lambda line: None, patience_s=1) as results:
        results.append([Finished(trial(0))])
        server.shut()
        try:
            with pytest.raises(ResultsError, match=r"does not answer.*finished trials are kept"):
                results.append([Finished(trial(1))])
        finally:
            server.open()
    with Results(bucket, "run") as results:
        assert [row["trial_number"] for row in results.rows()] == [0]


def test_pauses_grow_and_only_failures_to_write_are_tried_again() -> None:
    calls: list[float] = []

    def fails_three_times() -> None:
        calls.append(time.monotonic())
        if len(calls) < 4:
            raise OSError(5, "Input/output error")

    outage = patiently(fails_three_times, "here", lambda line: None, 30)
    assert outage is not None
    assert (outage.failed, outage.reason) == (3, "Input/output error")
    first, second, third = (b - a for a, b in itertools.pairwise(calls))
    assert first < second < third
    with pytest.raises(ResultsError, match="taken over"):
        patiently(_taken_over, "here", lambda line: None, 30)


def _taken_over() -> None:
    raise ResultsError("taken over")


def test_the_command_reports_an_unusable_location_before_it_trains(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from search.cli import main; main()", "run", "demo", "--results"]
    done = subprocess.run([*command, "s4://bucket/x"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "Starting Ray" not in done.stdout
    assert done.stderr == "error: no results can be kept at 's4://'; did you mean s3://?\n"


def test_searches_in_a_bucket_are_shown_exported_and_started_from(
    bucket: str, plan: Plan, tmp_path: Path
) -> None:
    rows = write_search(bucket, plan)
    studies = Studies(bucket)
    studies.refresh()
    written = export_optuna(bucket, f"sqlite:///{tmp_path / 'study.db'}")
    assert studies.names == [study.name for study in written]
    assert sum(study.added for study in written) == len(rows)
    started = parse(PLAN.replace("search: {", f"search: {{start_from: {bucket}, "))[0]
    assert started.starts("jit").points
