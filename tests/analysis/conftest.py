"""A tiny results folder written with pyarrow alone, as searches, benchmarks and sensitivity runs do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.results.layout import Row as Row

PARTITIONS = ("dataset", "model", "task", "method")
START = datetime(2026, 1, 1, tzinfo=UTC)
REAL, INT, TEXT = pa.float64(), pa.int64(), pa.string()
TRIALS = {
    **dict.fromkeys(("run_id", "trial_id", "kind", "regime", "forget", "preset", "state", "error"), TEXT),
    **dict.fromkeys(("tuned_on", "preset_paper", "preset_differs", "retrained_from"), TEXT),
    **dict.fromkeys(("eval_split", "forget_split", "host", "device", "version", "torch_version"), TEXT),
    **dict.fromkeys(("trial_number", "seed", "scenario_seed", "draw"), INT),
    **dict.fromkeys(("param_lr", "param_sigma"), REAL),
    "param_n": INT,
    "param_mode": TEXT,
    "param_clip": pa.bool_(),
    **dict.fromkeys(("objective", "retain_acc", "forget_acc", "mia", "gap", "unlearn_s"), REAL),
    **dict.fromkeys(("eval_s", "overhead_s", "shared_s", "retain_train_acc", "test_acc"), REAL),
    **dict.fromkeys(("forget_count", "samples_forward"), INT),
    **dict.fromkeys(
        ("target_retain_acc", "target_forget_acc", "target_mia", "target_gap", "target_test_acc"), REAL
    ),
    **dict.fromkeys(("started_at", "finished_at"), pa.timestamp("us", tz="UTC")),
}
CLASSES = {
    **dict.fromkeys(("run_id", "trial_id", "forget", "split", "class"), TEXT),
    "forgotten": pa.bool_(),
    **dict.fromkeys(("correct", "total"), INT),
}
SAMPLES = {
    **dict.fromkeys(("run_id", "trial_id", "forget"), TEXT),
    "image": INT,
    "entropy": REAL,
    "loss": REAL,
}
STEPS = {
    **dict.fromkeys(("run_id", "trial_id", "forget", "request"), TEXT),
    "step": INT,
    **dict.fromkeys(("retain_acc", "forget_acc", "test_acc", "mia", "gap", "unlearn_s"), REAL),
    **dict.fromkeys(("target_retain_acc", "target_forget_acc", "target_mia"), REAL),
}
PROGRESS = {
    **dict.fromkeys(("run_id", "trial_id", "forget"), TEXT),
    **dict.fromkeys(("done", "seconds", "retain_acc", "forget_acc", "mia", "gap"), REAL),
}
FIELDS = {"trials": TRIALS, "classes": CLASSES, "samples": SAMPLES, "steps": STEPS, "progress": PROGRESS}
RANGES = {"param_lr": {"jit": [1e-5, 1.0, True]}, "param_sigma": {"jit": [0.1, 1.0, False]}}


def trial(number: int = 0, **values: Any) -> Row:
    """A complete trial of jit in a search; anything may be replaced."""
    row: Row = {
        "dataset": "digits",
        "model": "cnn2",
        "task": "full_class",
        "method": "jit",
        "run_id": "search-1",
        "trial_number": number,
        "kind": "search",
        "regime": "tuned",
        "seed": 1000 + number,
        "scenario_seed": 0,
        "draw": 0,
        "forget": "8",
        "preset": "",
        "state": "complete",
        "error": "",
        "eval_split": "validation",
        "forget_split": "validation",
        "param_lr": 0.1,
        "param_sigma": 0.5,
        "param_n": 25,
        "param_mode": "eval",
        "retain_acc": 90.0,
        "forget_acc": 10.0,
        "mia": 20.0,
        "gap": 8.0,
        "target_retain_acc": 95.0,
        "target_forget_acc": 0.0,
        "target_mia": 11.0,
        "target_gap": 0.0,
        "unlearn_s": 0.5,
        "eval_s": 0.1,
        "overhead_s": 0.0,
        "host": "laptop",
        "device": "cpu",
        "version": "0.1.0",
        "torch_version": "2.9",
        **values,
    }
    row.setdefault("objective", row["gap"])
    if row["state"] == "failed":
        row |= dict.fromkeys(("objective", "retain_acc", "forget_acc", "mia", "gap"))
    row.setdefault("trial_id", f"{row['run_id']}:{row['method']}:{row['forget']}:{number}")
    row.setdefault("started_at", START + timedelta(seconds=number))
    row.setdefault("finished_at", row["started_at"] + timedelta(seconds=1))
    return row


def measured(method: str, number: int, **values: Any) -> Row:
    """A row of the benchmark stage."""
    kind = "reference" if method in ("original", "retrain") else "benchmark"
    regime = "" if kind == "reference" else "tuned"
    fields = {"kind": kind, "regime": regime, "run_id": "bench-1", "seed": number, "eval_split": "test"}
    return trial(number, method=method, **{**fields, **values})


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as a trials table, with the types of a results folder."""
    table = pd.DataFrame(list(rows))
    return table.reindex(columns=[*PARTITIONS, *TRIALS])


def write(folder: Path, rows: Iterable[Row], table: str = "trials", version: int = 1) -> list[Path]:
    """Write rows as a search does: one file per run and partition, with metadata in the schema."""
    files: dict[Path, list[Row]] = {}
    for row in rows:
        folders = Path(*(f"{key}={row[key]}" for key in PARTITIONS))
        files.setdefault(folder / table / folders / f"{row['run_id']}.parquet", []).append(row)
    for path, file_rows in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = pa.schema(
            [_field(name, kind) for name, kind in FIELDS[table].items()],
            metadata={b"unlearnbench.schema": str(version).encode()},
        )
        cells = [{name: row.get(name) for name in FIELDS[table]} for row in file_rows]
        pq.write_table(pa.Table.from_pylist(cells, schema=schema), path)
    return list(files)


def _field(name: str, kind: pa.DataType) -> pa.Field:
    meta = {"description": f"what {name} means", "unit": "%" if name == "mia" else "", "group": "test"}
    if name in RANGES:
        meta["ranges"] = json.dumps(RANGES[name])
    return pa.field(name, kind, metadata=meta)


def search_rows() -> list[Row]:
    """30 trials whose objective depends on lr alone, the best being number 7, and one that failed."""
    rows = []
    for i in range(30):
        lr, sigma = 10 ** (-5 + ((7 * i + 3) % 30) / 6), 0.1 + 0.03 * ((11 * i) % 30)
        gap = 5.0 + abs((7 * i + 3) % 30 - 22)
        rows.append(trial(i, param_lr=lr, param_sigma=sigma, gap=gap))
    return [*rows, trial(30, state="failed", error="weights are not finite", param_lr=1.0)]


def sensitivity_rows(
    metric: Callable[[float, float], float] = lambda lr, sigma: 100 * lr + sigma,
) -> list[Row]:
    """A star around lr = 0.1, sigma = 0.5 with two seeds; the second seed adds 2."""
    points = [(lr, 0.5) for lr in (0.01, 0.1, 1.0)] + [(0.1, sigma) for sigma in (0.1, 0.5, 0.9)]
    trials: Mapping[tuple[float, float, int], Row] = {
        (lr, sigma, seed): trial(
            2 * i + seed, kind="sensitivity", regime="", run_id="sense-1", seed=seed,
            param_lr=lr, param_sigma=sigma, gap=metric(lr, sigma) + 2 * (seed - 1),
        )
        for i, (lr, sigma) in enumerate(points)
        for seed in (1, 2)
    }  # fmt: skip
    return list(trials.values())


def benchmark_rows() -> list[Row]:
    """Original, retrain and jit on the forget sets 2, 8 and 10, two seeds; jit tuned on 8."""
    rows = []
    for forget in ("2", "8", "10"):
        for seed in (1, 2):
            fields = {"forget": forget, "seed": seed}
            rows.append(measured("original", seed, **fields, gap=60.0, retain_acc=96.0, unlearn_s=0.0))
            rows.append(measured("retrain", seed, **fields, gap=1.0, retain_acc=95.0, unlearn_s=9.0))
            regime = "tuned" if forget == "8" else "transferred"
            rows.append(measured("jit", seed, **fields, regime=regime, gap=10.0 + 2 * seed, param_lr=0.1))
    return rows


def class_rows(rows: Iterable[Row]) -> list[Row]:
    """Classes A and B stay, 50 images each; retrain has 40 and 45 right, jit 30 and 45."""
    right = {"retrain": (40, 45), "jit": (30, 45), "original": (50, 50)}
    counts = []
    for row in rows:
        identity = {key: row[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")}
        for name, correct in zip("AB", right[row["method"]], strict=True):
            counts.append(
                identity
                | {"split": "test", "class": name, "forgotten": False, "correct": correct, "total": 50}
            )
        counts.append(
            identity | {"split": "test", "class": "F", "forgotten": True, "correct": 0, "total": 50}
        )
    return counts


def sample_rows(rows: Iterable[Row]) -> list[Row]:
    """Ten forgotten images per trial, low entropies for the original model."""
    return [
        {key: row[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")}
        | {"image": i, "entropy": 10.0 ** (-4 if row["method"] == "original" else -1) * (i + 1)}
        for row in rows
        for i in range(10)
    ]


def transfer_rows(gaps: Mapping[tuple[str, str], Iterable[float]], method: str = "jit") -> list[Row]:
    """(Tuned on, forgotten) -> the distance to retrain of seeds 1, 2, ...; nan for a failed trial."""
    return [
        measured(
            method, seed, forget=forget, tuned_on=source, gap=gap,
            regime="tuned" if source == forget else "transferred",
            state="failed" if math.isnan(gap) else "complete",
            trial_id=f"{method}:{source}:{forget}:{seed}",
        )
        for (source, forget), values in gaps.items()
        for seed, gap in enumerate(values, 1)
    ]  # fmt: skip


def step_rows(row: Row, *states: Mapping[str, Any]) -> list[Row]:
    """The steps of a trial of the task sequence."""
    identity = {key: row[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")}
    requests = row["forget"].split(">")
    return [
        {**identity, "step": i, "request": request, **state}
        for i, (request, state) in enumerate(zip(requests, states, strict=True), 1)
    ]


def progress_rows(row: Row, points: int = 4, **values: Any) -> list[Row]:
    """Evenly spaced points of a trial while it runs: retain accuracy rises to 80, forget accuracy to 20."""
    identity = {key: row[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")}
    shares = [i / points for i in range(1, points + 1)]
    return [
        {**identity, "done": share, "seconds": share * row["unlearn_s"], "retain_acc": 80 * share,
         "forget_acc": 20 * share, "mia": 5.0, "gap": 10 * share, **values}
        for share in shares
    ]  # fmt: skip


def printed_rows(
    method: str, forget: str, figures: tuple[float, float, float], seeds: int = 2, **values: Any
) -> list[Row]:
    """Benchmark rows on JiT's table 8 with given retain accuracy, forget accuracy and MIA."""
    fields = {"dataset": "cifar100", "model": "vgg11_133m", "forget": forget, **values}
    named = dict(zip(("retain_acc", "forget_acc", "mia"), figures, strict=True))
    run = {"tuned_on": forget} if method not in ("original", "retrain") else {}
    tag = "/".join(map(str, fields.values()))
    return [
        measured(method, seed, **{**run, **named, **fields}, trial_id=f"{method}/{tag}/{seed}")
        for seed in range(1, seeds + 1)
    ]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole results folder: search, benchmark, sensitivity, classes, samples. Tests must not change it."""
    folder = tmp_path_factory.mktemp("results")
    done = benchmark_rows()
    write(folder, [*search_rows(), *sensitivity_rows(), *done])
    write(folder, class_rows(done), "classes")
    write(folder, sample_rows(done), "samples")
    return folder
