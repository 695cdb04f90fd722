"""Files in a results folder that were not written by a driver, or by a driver that was killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.errors import AnalysisError
from analysis.results import load
from analysis.results.parquet import NotParquet, read_table
from analysis.results.store import Folder, Store, store_at
from search.errors import ResultsError
from search.results.claims import claim, to_json
from search.results.storage import probe
from search.results.writer import Finished, Results, finished_trials
from tests.search.results.made_trials import trial

DEEP = "dataset=digits/model=cnn2/task=full_class/method=jit"


def filled(folder: Path, count: int = 3) -> Path:
    """Write results of a run; returns its file of trials."""
    with Results(folder, "run") as results:
        results.save_plan({"run_id": "run"})
        results.append(Finished(trial(n), [], [{"image": n}]) for n in range(count))
    [file] = folder.glob(f"trials/{DEEP}/run.*.parquet")
    return file


@pytest.mark.parametrize("where", ["trials", f"trials/{DEEP}", "samples"])
def test_a_link_to_a_folder_is_refused_instead_of_read_twice(tmp_path: Path, where: str) -> None:
    filled(tmp_path)
    (tmp_path / where / "loop").symlink_to(tmp_path / where)
    for use in (lambda: Results(tmp_path, "run"), lambda: Results(tmp_path, "other")):
        with pytest.raises(ResultsError, match="/loop is a link to a folder, which would be read"):
            use()
    with pytest.raises(AnalysisError, match=r"/loop is a link to a folder"):
        load.trials(tmp_path) if where != "samples" else load.samples(tmp_path)


@pytest.mark.timeout(120)
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    file = filled(tmp_path)
    os.mkfifo(file.with_name("pipe.parquet"))
    with pytest.raises(ResultsError, match=r"pipe.parquet is neither a file nor a folder; move it out"):
        Results(tmp_path, "run")
    with pytest.raises(AnalysisError, match=r"pipe.parquet is neither a file nor a folder; move it out"):
        load.trials(tmp_path)
    with pytest.raises(OSError, match="is not a regular file"):
        store_at(tmp_path).read(str(file.with_name("pipe.parquet").relative_to(tmp_path)))


@pytest.mark.parametrize("name", [b"\xff.parquet", b"dangling.parquet", b"itself.parquet"])
def test_names_and_links_that_lead_nowhere_are_refused(tmp_path: Path, name: bytes) -> None:
    file = filled(tmp_path)
    path = file.parent / os.fsdecode(name)
    if name.startswith(b"\xff"):
        path.write_bytes(b"x")
    else:
        path.symlink_to(path if name.startswith(b"itself") else "/nowhere")
    with pytest.raises(ResultsError, match=r"(is a link to nothing|not UTF-8); move it out$") as caught:
        Results(tmp_path, "run")
    assert str(caught.value).isprintable()


def test_hidden_and_private_things_are_nobodys_data(tmp_path: Path) -> None:
    file = filled(tmp_path)
    for name in ("_old", ".ipynb_checkpoints"):
        (file.parent / name).mkdir()
        (file.parent / name / file.name).write_bytes(file.read_bytes())
    (file.parent / ".loop").symlink_to(file.parent)
    with Results(tmp_path, "run") as results:
        assert len(results.rows()) == 3
    assert len(load.trials(tmp_path)) == 3


def test_flipped_bits_in_pages_are_noticed_when_a_file_is_read(tmp_path: Path) -> None:
    file = filled(tmp_path)
    good, draw = file.read_bytes(), random.Random(0)
    whole = pq.read_table(file, partitioning=None)
    group = pq.ParquetFile(file).metadata.row_group(0)
    pages = group.column(0).dictionary_page_offset, group.column(whole.num_columns - 1).data_page_offset
    silent = 0
    for _ in range(100):
        at = draw.randrange(*pages)
        file.write_bytes(good[:at] + bytes([good[at] ^ 1 << draw.randrange(8)]) + good[at + 1 :])
        with suppress(NotParquet):
            silent += not read_table(store_at(tmp_path), str(file.relative_to(tmp_path))).equals(whole)
    assert silent == 0


def test_a_reader_that_takes_every_file_meets_tables_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars reads all files of a folder, hidden or not; here at every moment in which a file is written."""
    seen: list[str] = []
    rename = Path.replace

    def look(self: Path, target: Path) -> Path:
        assert self.exists()
        seen.extend(
            p.name for table in ("trials", "samples") for p in (tmp_path / table).rglob("*") if p.is_file()
        )
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", look)
    filled(tmp_path)
    filled_again = Results(tmp_path, "other")
    filled_again.append([Finished(trial(0, run_id="other"), [], [{"image": 0}])])
    filled_again.close()
    assert seen
    assert [name for name in seen if not name.endswith(".parquet") or name.startswith(".")] == []


_KILLED = """
    import os, signal
    from pathlib import Path
    from search.results.writer import Finished, Results
    from tests.search.results.made_trials import trial
    def stop(self, target):
        os.kill(os.getpid(), signal.SIG{how})
        return rename(self, target)
    with Results({folder!r}, "run") as results:
        rename, Path.replace = Path.replace, stop
        results.append([Finished(trial(0))])
"""


def test_what_a_killed_driver_left_is_deleted_by_the_next_and_what_is_held_stays(tmp_path: Path) -> None:
    def start(how: str) -> subprocess.Popen[bytes]:
        code = textwrap.dedent(_KILLED.format(folder=str(tmp_path), how=how))
        process = subprocess.Popen([sys.executable, "-c", code])
        os.waitpid(process.pid, os.WUNTRACED)
        return process

    def left() -> list[Path]:
        return list(tmp_path.glob(".unlearn-*.tmp"))

    start("KILL")
    assert len(left()) == 1
    asleep = start("STOP")  # it deletes what the first one left, and holds its own
    try:
        assert len(left()) == 1
        Results(tmp_path, "other").close()
        assert len(left()) == 1, "a file that a suspended process is writing"
    finally:
        asleep.kill()
        asleep.wait()
    (tmp_path / f"trials/{DEEP}/.run.parquet.4711").touch()  # as earlier versions named them
    Results(tmp_path, "other").close()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_claims_of_the_dead_and_beats_without_a_claim_are_deleted(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    dead = replace(claim("past"), started="1")
    far = replace(claim("far"), machine="far away", started="1")
    for file in (dead.file, dead.beat_file, far.file, far.beat_file):
        store.write(file, to_json(dead if "past" in file else far))
    store.write(claim("lost").beat_file, b"7")
    Results(tmp_path, "run").close()
    assert list(store.files("_runs/leases")) == [far.file, far.beat_file]


def test_probes_of_killed_processes_are_deleted_by_the_next(tmp_path: Path) -> None:
    old, new = tmp_path / "_runs/.probe-1", tmp_path / "_runs/.probe-2"
    old.parent.mkdir()
    for file in (old, new):
        file.touch()
    os.utime(old, (time.time() - 3600,) * 2)
    probe(tmp_path)
    assert list((tmp_path / "_runs").iterdir()) == [new], "somebody may be trying right now"


def test_a_colleagues_old_file_that_cannot_be_written_is_named_and_blocks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a shared folder, where only the owner may replace a file; refused here, as root may do all."""
    folder = tmp_path / "trials" / DEEP
    folder.mkdir(parents=True)
    old = {"run_id": ["past"], "trial_id": ["past:0"], "gap": [2.0], "trial_number": [0], "forget": ["8"]}
    for run in ("past", "run"):
        pq.write_table(
            pa.table({**old, "state": ["complete"], "trial_id": [f"{run}:0"]}), folder / f"{run}.parquet"
        )
    write = Folder.write

    def refuse(self: Store, file: str, data: Any) -> None:
        if file.endswith(("/past.parquet", "/run.parquet")):
            raise PermissionError(1, "Operation not permitted")
        write(self, file, data)  # type: ignore[arg-type]

    monkeypatch.setattr(Folder, "write", refuse)
    lines: list[str] = []
    with Results(tmp_path, "run", tell=lines.append) as results:
        assert [row["trial_id"] for row in results.rows()] == ["run:0"]
        results.append([Finished(trial(1))])
    assert len(lines) == 2, lines
    for line, run in zip(sorted(lines), ("past", "run"), strict=True):
        assert (
            f"/{run}.parquet should be brought up to date but cannot be written (Operation not permitted)"
            in line
        )


def test_times_beyond_the_calendar_are_named_instead_of_ending_in_an_overflow(tmp_path: Path) -> None:
    file = filled(tmp_path)
    table = pq.read_table(file, partitioning=None)
    position = table.schema.get_field_index("started_at")
    beyond = pa.array([2**62] * len(table), pa.int64()).cast(table.schema.field(position).type)
    pq.write_table(table.set_column(position, table.schema.field(position), beyond), file)
    with pytest.raises(ResultsError, match="has times in 'started_at' that are not in the years 1 to 9999"):
        finished_trials(tmp_path, "run")
