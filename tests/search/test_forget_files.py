"""Plans whose forget sets are files: their folders, the names of runs, and workers without the files."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.datasets import load as load_data
from benchmarks.scenarios.splits import validation
from cluster.slots import Slots
from search.engine import preparation, runner
from search.engine.placement import Learned
from search.errors import PlanError
from search.plans.files import load
from search.plans.identity import search_identity
from search.plans.parcel import parcel
from search.plans.plan import Plan
from search.results.writer import Results
from search.studies.assignments import Assignment, FixedList

PLAN = """
name: request
dataset: digits
references: 1
model: cnn2
task: random
methods: [jit]
training: {epochs: 1, batch_size: 256}
search: {forget: FORGET, trials: 1, presets: false}
"""
FORGOTTEN = (2, 5, 7, 11, 600)
NAME = f"ids-5-{hashlib.sha256(struct.pack('<5q', *FORGOTTEN)).hexdigest()[:12]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the plan and its files, which is not the current folder."""
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def listed(path: Path, *images: int) -> None:
    path.write_text("".join(f"{image}\n" for image in images))


def plan_file(folder: Path, forget: str, more: str = "") -> str:
    (folder / "plan.yaml").write_text(PLAN.replace("FORGET", forget) + more)
    return str(folder / "plan.yaml")


def plan(folder: Path, forget: str, more: str = "", scale: float | None = None) -> Plan:
    return load(plan_file(folder, forget, more), scale, tell=pytest.fail)[0]


def test_a_path_is_relative_to_the_plan_and_plays_no_part_in_the_run(folder: Path) -> None:
    listed(folder / "ids.txt", *FORGOTTEN)
    (folder / "more").mkdir()
    listed(folder / "more" / "again.txt", *reversed(FORGOTTEN))
    listed(folder / "other.txt", *FORGOTTEN[1:])
    first, again, absolute, other = (
        plan(folder, f"'file:{path}'")
        for path in ("ids.txt", "more/again.txt", folder / "ids.txt", "other.txt")
    )
    assert first == again == absolute
    assert first.search.forget == (NAME,)
    assert search_identity(first) == search_identity(again)
    (scenario,), (changed,) = first.searched(), other.searched()
    assert scenario.images == FORGOTTEN
    assert changed.key != scenario.key


def test_the_file_is_read_once(folder: Path) -> None:
    listed(folder / "ids.txt", *FORGOTTEN)
    read = plan(folder, "file:ids.txt", "benchmark: {forget: [file:ids.txt, 20], seeds: 1}\n")
    listed(folder / "ids.txt", 1)
    assert [s.forget for s in read.benchmarked()] == [NAME, "20"]
    assert read.benchmarked()[0].split(load_data("digits")).forget_train.tolist() == list(FORGOTTEN)


def test_two_files_of_the_same_images_run_once(folder: Path) -> None:
    lines: list[str] = []
    listed(folder / "a.txt", *FORGOTTEN)
    listed(folder / "b.txt", *FORGOTTEN)
    (plan,) = load(plan_file(folder, "[file:a.txt, file:b.txt]"), tell=lines.append)
    assert plan.search.forget == (NAME,)
    assert "which are the same" in lines[0]


def test_a_mistake_has_the_lines_of_the_plan_and_of_the_file(folder: Path) -> None:
    listed(folder / "ids.txt", 3, 2000)
    with pytest.raises(PlanError, match=r"plan\.yaml:9: .*ids\.txt:2: 'digits' has no training image 2000"):
        plan(folder, "file:ids.txt")
    with pytest.raises(PlanError, match=r"plan\.yaml:10: .*cannot be read \(there is no file .*none\.txt"):
        plan(folder, "3", "benchmark: {forget: [3, file:none.txt]}\n")


def test_a_part_of_the_work_forgets_fewer_images(folder: Path) -> None:
    listed(folder / "ids.txt", *range(200))
    small = plan(folder, "file:ids.txt", scale=0.1)
    assert small.dataset == "digits@144"
    assert small.search.forget == ("21",), "200 x 144 / 1437, rounded up; most of them are not there"


def test_files_travel_to_a_cluster_under_other_names(folder: Path) -> None:
    listed(folder / "typer.py", *FORGOTTEN)
    listed(folder / "b.txt", 1)
    more = 'benchmark:\n  forget:\n    - "file:b.txt"  # the second\n    - 20\n    - file:typer.py\n'
    sent = parcel(plan_file(folder, "file:typer.py", more))
    assert sent.files == {"images1.txt": folder / "typer.py", "images2.txt": folder / "b.txt"}
    expected = PLAN.replace("FORGET", "file:images1.txt") + more.replace('"file:b.txt"', "file:images2.txt")
    assert sent.text == expected.replace("file:typer.py", "file:images1.txt")
    job = folder / "job"
    job.mkdir()
    (job / "plan.yaml").write_text(sent.text)
    for name, path in sent.files.items():
        (job / name).write_bytes(path.read_bytes())
    assert load(job / "plan.yaml") == load(folder / "plan.yaml")


def test_a_file_with_validation_images_has_a_separate_original_model(folder: Path) -> None:
    held_out = validation(load_data("digits"))
    learned = np.setdiff1d(range(1437), held_out)
    listed(folder / "learned.txt", *learned[:9])
    listed(folder / "some.txt", *learned[:9], held_out[0])
    scenarios = plan(folder, "[20, file:learned.txt, file:some.txt, 30]").searched()
    originals = preparation.originals(scenarios)
    assert [s.forget for s in originals] == [scenarios[0].forget, scenarios[2].forget]


def test_a_request_runs_from_the_file_to_the_table(folder: Path, ray_session: Slots, tmp_path: Path) -> None:
    listed(folder / "ids.txt", *FORGOTTEN)
    read = plan(folder, "file:ids.txt")
    for file in folder.iterdir():
        file.unlink()
    prepared = preparation.prepare(read.searched(), read.recipe(), None, ray_session, lambda model: None)
    scenario = read.searched()[0]
    searched = Assignment("run", 0, scenario, "jit", {"lr": 1e-3}, 1, "search", "tuned")
    measured = replace(
        searched, number=1, kind="benchmark", regime="published", held_out="test", details=True
    )
    with Results(tmp_path / "results", "run") as results:
        work = FixedList("list", [searched, measured], results.rows())
        shares = Learned(ray_session.shares, lambda line: None)
        runner.run([work], prepared, results, ray_session, shares, lambda source, row: None)
    trials = pd.read_parquet(tmp_path / "results" / "trials").to_dict("records")
    assert sorted((row["kind"], row["eval_split"]) for row in trials) == [
        ("benchmark", "test"),
        ("search", "validation"),
    ]
    for row in trials:
        assert (row["state"], row["forget"], row["forget_count"]) == ("complete", NAME, 5), row["error"]
        assert row["retrained_from"] == "fresh"
    samples = pd.read_parquet(tmp_path / "results" / "samples")
    assert sorted(samples["image"]) == list(FORGOTTEN)
