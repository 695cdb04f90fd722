"""Results folders changed at random: readers and writers work, or report the problem in a line."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from search.errors import ResultsError
from search.plans.identity import Identity
from search.results.claims import claim, to_json
from search.results.records import records
from search.results.schema import TABLES, trial_columns
from search.results.writer import Finished, Results, finished_trials
from search.studies.spaces import search_space
from tests.search.results.made_trials import trial
from tests.search.studies.test_study import JIT, play, study
from tests.search.test_foreign_files import DEEP

COUNT = int(os.environ.get("UNLEARN_FUZZ", "200"))  # 3,000 take some two minutes

_VALUES: list[Any] = [None, "", "jit", -1, 2**63 - 1, 1e308, float("nan"), float("inf"), True, b"\xff", [1]]
_VALUES += [{"a": 1}, "\x1b[31m"]
_TYPES = [
    *(
        pa.int8(),
        pa.int64(),
        pa.uint64(),
        pa.float32(),
        pa.float64(),
        pa.decimal128(5, 2),
        pa.bool_(),
        pa.null(),
    ),
    *(pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string())),
    *(
        pa.timestamp("s"),
        pa.timestamp("ns", tz="Europe/Berlin"),
        pa.date32(),
        pa.duration("s"),
        pa.time32("s"),
    ),
    *(pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.string())),
]
_TEXTS = [
    *(b"", b"[]", b"- 1", b"a: [", b"\xff\xfe", b"null", b"7", b"{}", b'{"shard": 1}', b"a: 2026-99-99"),
    b"[" * 2000,
    b"run_id: run-search-00000000\nidentity: 7\nstudies: [1]\n",
    b"!!python/object/apply:os.system [ls]",
]
_NAMES = ["a", "a.parquet", "run.2.parquet", "run.1of2.parquet", "run..parquet", ".parquet", "a\nb.parquet"]
_NAMES += ["run.20261125T214225-3fa9c1d2.9.parquet", "\x1b[31m.parquet", "x=y.parquet", "ü.parquet"]


def _retyped(table: pa.Table, draw: random.Random) -> pa.Table:
    name, kind = draw.choice(table.column_names), draw.choice(_TYPES)
    at = table.column_names.index(name)
    try:
        column = table[name].cast(kind)
    except (pa.ArrowException, ValueError):
        column = pa.nulls(len(table), kind)
    return table.set_column(at, name, column)


def _revalued(table: pa.Table, draw: random.Random) -> pa.Table:
    name = draw.choice(["trial_id", "state", "trial_number", "forget", "finished_at", *table.column_names])
    at = table.column_names.index(name) if name in table.column_names else 0
    try:
        column = pa.array([draw.choice(_VALUES)] * len(table))
    except (pa.ArrowException, OverflowError):
        return table
    return table.set_column(at, table.column_names[at], column)


def _renamed(table: pa.Table, draw: random.Random) -> pa.Table:
    names = table.column_names
    names[draw.randrange(len(names))] = draw.choice(
        [*names, "dataset", "", "_", "new", "param_new", "a.b", "\n"]
    )
    return table.rename_columns(names)


def _described(table: pa.Table, draw: random.Random) -> pa.Table:
    value = draw.choice([b"", b"two", b"-1", b"99", b"1e3", b"\xff", b"9" * 30, b" 1"])
    return table.replace_schema_metadata({b"unlearnbench.schema": value})


def _without(table: pa.Table, draw: random.Random) -> pa.Table:
    return table.drop_columns(draw.sample(table.column_names, draw.randint(1, 3)))


def _repeated(table: pa.Table, draw: random.Random) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, draw.randint(0, len(table)))])


_CHANGES: list[Callable[[pa.Table, random.Random], pa.Table]] = [
    _retyped, _retyped, _revalued, _revalued, _renamed, _described, _without, _repeated,
]  # fmt: skip


def _mutate(folder: Path, draw: random.Random) -> None:
    """Change a folder as an attacker or an accident would."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    file = draw.choice(files)
    kind = draw.random()
    if kind < 0.6 and file.suffix == ".parquet":
        try:
            table = pq.read_table(file, partitioning=None)
            for _ in range(draw.randint(1, 2)):
                table = draw.choice(_CHANGES)(table, draw)
            pq.write_table(table, file)
        except (pa.ArrowException, ValueError, KeyError, OSError):
            return  # not possible in Parquet
    elif kind < 0.7:
        content = bytearray(file.read_bytes() or b"x")
        for _ in range(draw.randint(1, 8)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        file.write_bytes(content[: draw.choice([len(content), draw.randrange(len(content))])])
    elif kind < 0.8:
        target = draw.choice([*sorted(p for p in folder.rglob("*") if p.is_dir())]) / draw.choice(_NAMES)
        if not target.exists():
            target.write_bytes(draw.choice([file.read_bytes(), *_TEXTS]))
    elif kind < 0.9:
        name = draw.choice(
            ["_runs/run-search-00000000.yaml", claim("run").file, claim("past").file, claim("x").beat_file]
        )
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        valid = json.loads(to_json(claim("run"))) | {
            "pid": draw.choice([0, -1, 2**70, "x", 1]),
            "token": "../../x",
        }
        (folder / name).write_bytes(draw.choice([*_TEXTS, json.dumps(valid).encode()]))
    else:
        target = (
            folder / draw.choice(["trials", "samples", "_runs", "_runs/leases", f"trials/{DEEP}"]) / "odd"
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        target = target.with_name(f"odd{len(list(target.parent.iterdir()))}")
        draw.choice([lambda: os.mkfifo(target), lambda: target.symlink_to(folder), lambda: target.mkdir()])()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without most of 170 columns, and without flushing to the disk, which would take most of the time."""
    monkeypatch.setattr(os, "fsync", lambda opened: None)
    few = {f"param_{name}" for name in search_space(JIT.Params).varied} | {"gap", "objective"}
    groups = ("identity", "scenario", "outcome", "provenance")
    trials = tuple(c for c in trial_columns() if c.name in few or c.group in groups)
    monkeypatch.setitem(TABLES, "trials", lambda: trials)


def _whole(folder: Path) -> None:
    with Results(folder, "run") as results:
        results.save_plan({"run_id": "run"})
        for n, row in enumerate(play(study(presets=False), 3)):
            state = "failed" if n == 1 else "complete"
            results.append([Finished(trial(n, **{**row, "state": state}), [], [{"image": n}])])


def _use(folder: Path) -> None:
    """The operations of a resumed search on its results before and after it runs a trial."""
    finished_trials(folder, "run")
    identity = Identity("search", "run-search-00000000", {"a": 1}, {"jit": {"b": 2}})
    list(identity.news(records(folder, "run-search")))
    with Results(folder, "run", tell=lambda line: None, patience_s=0) as results:
        results.drop_failed()
        study(done=[row for row in results.rows() if row["method"] == "jit"])
        results.save_plan({"run_id": "run"})
        results.append([Finished(trial(7), [], [{"image": 7}])])


@pytest.mark.usefixtures("narrow")
def test_a_changed_folder_is_opened_or_refused_in_a_line(tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "changed"
    _whole(whole)
    lines = []
    for seed in range(COUNT):
        draw = random.Random(seed)
        shutil.copytree(whole, folder)
        for _ in range(draw.randint(1, 2)):
            _mutate(folder, draw)
        try:
            _use(folder)
        except ResultsError as error:
            lines.append((seed, str(error)))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        shutil.rmtree(folder)
    assert [line for line in lines if not line[1].isprintable()] == []
    assert COUNT / 4 < len(lines) < COUNT
