"""Results folders as large as after years of work: the real columns with made-up figures."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.hyperparameters import declared
from benchmarks.methods import methods
from search.results.files import serialised
from search.results.schema import schema

METRICS = ("retain_acc", "forget_acc", "mia", "gap")
RETRAINED = {"retain_acc": 90.0, "forget_acc": 0.0, "mia": 10.0, "gap": 0.0}
SEEDS = 5
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_CLASSES = (
    *("rocket", "baby", "sea", "apple", "bed", "bee", "bus", "can", "cup", "dog", "fox", "lion"),
    *("oak_tree", "orange", "pear", "plate", "ray", "road", "rose", "seal"),
)
Rows = dict[str, Any]


@dataclass(frozen=True)
class FileOfRows:
    """One file of a driver, for one method in one run.

    Attributes:
        kind: search, benchmark or reference.
        sets: Forget sets; a search has one.
        rows: Trials of a search; the others have as many as their sets, regimes and seeds need.
    """

    scenario: tuple[str, str, str]
    method: str
    kind: str
    sets: Sequence[str]
    rows: int
    run: str

    @property
    def path(self) -> str:
        dataset, model, task = self.scenario
        folder = f"dataset={dataset}/model={model}/task={task}/method={self.method}"
        return f"trials/{folder}/{self.run}.20260101T000000-{hash_of(self.run):08x}.parquet"


def million(folder: Path) -> int:
    """1,000,000 rows in 4,000 files: 3,200 searches of 250 trials, and a benchmark; their number."""
    return _write(folder, list(_million()))


def searches(folder: Path) -> int:
    """11,220 trials: 60 searches, five methods on twelve forget sets, and their benchmark; their number."""
    return _write(folder, list(_searches()))


def hash_of(text: str) -> int:
    """The same number for the same text in every process."""
    return zlib.crc32(text.encode())


def _million() -> Iterator[FileOfRows]:
    names = [m.name for m in methods if m.name not in ("original", "retrain")][:20]
    scenarios = list(product(("cifar100", "cifar20"), ("vgg11", "resnet18"), ("full_class", "sub_class")))
    for scenario, name, forget in product(scenarios, names, _CLASSES):
        yield FileOfRows(
            scenario, name, "search", [forget], 250, f"large-search-{hash_of(scenario[1] + forget):08x}"
        )
    for scenario, name, part in product(scenarios, [*names[:19], "retrain"], range(5)):
        sets = _CLASSES[4 * part : 4 * part + 4]
        kind = "reference" if name == "retrain" else "benchmark"
        yield FileOfRows(scenario, name, kind, sets, 250, f"large-benchmark-{part:08x}")


def _searches() -> Iterator[FileOfRows]:
    scenario, sets = ("cifar100", "vgg11", "full_class"), _CLASSES[:12]
    names = ("jit", "ssd", "finetune", "random_labels", "neggrad")
    for name, forget in product(names, sets):
        yield FileOfRows(scenario, name, "search", [forget], 162, f"wide-search-{hash_of(forget):08x}")
    for name in (*names, "retrain"):
        kind = "reference" if name == "retrain" else "benchmark"
        yield FileOfRows(scenario, name, kind, sets, 250, f"wide-benchmark-{0:08x}")


def _write(folder: Path, files: list[FileOfRows]) -> int:
    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(partial(_write_file, folder), files, chunksize=20))


def _write_file(folder: Path, file: FileOfRows) -> int:
    rng = np.random.default_rng(hash_of(file.path))
    rows = _searched(rng, file) if file.kind == "search" else _measured(rng, file)
    table = _table(rows)
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(serialised(table))
    return len(table)


@cache
def _schema() -> pa.Schema:
    return schema("trials")


def _table(rows: Rows) -> pa.Table:
    """The rows with every declared column, those without values as nulls."""
    count = len(rows["trial_id"])
    whole = _schema()
    columns = []
    for field in whole:
        value = rows.get(field.name)
        if isinstance(value, np.ndarray | list):
            columns.append(pa.array(value, field.type))
        else:
            columns.append(
                pa.nulls(count, field.type)
                if value is None
                else pa.repeat(pa.scalar(value, field.type), count)
            )
    return pa.table(columns, schema=whole)


def _searched(rng: np.random.Generator, file: FileOfRows) -> Rows:
    params = list(_drawn(rng, file.method, file.rows))
    moved = [(values, p) for p, values in params if p.has_range][:3]
    gap = 4.0 + rng.gamma(1.0, 3.0, file.rows)
    for weight, (values, p) in zip((12.0, 5.0, 1.0), moved, strict=False):
        x = np.log(values) if p.log else values.astype(float)
        gap += weight * ((x - x.min()) / max(np.ptp(x), 1e-12) - 0.4) ** 2
    failed = rng.random(file.rows) < 0.02
    identity: Rows = {
        "trial_number": np.arange(file.rows),
        "kind": "search",
        "regime": "tuned",
        "tuned_on": file.sets[0],
        "seed": 1_000_000 + np.arange(file.rows),
        "forget": file.sets[0],
        "eval_split": "validation",
        "forget_split": "validation",
        "preset": "",
        "state": np.where(failed, "failed", "complete").tolist(),
        "error": np.where(failed, "the weights are not finite", "").tolist(),
    }
    return (
        _common(rng, file, file.rows)
        | identity
        | _figures(rng, gap, failed)
        | {f"param_{p.name}": values for p, values in params}
    )


def _measured(rng: np.random.Generator, file: FileOfRows) -> Rows:
    """Every forget set with the parameters of each set, as a benchmark with transfer runs them."""
    regimes: Iterable[tuple[str, str]] = [("", "")]
    if file.kind == "benchmark":
        regimes = [("default", ""), *(("transferred", forget) for forget in file.sets)]
    once = list(product(file.sets, regimes, range(1, 1 + SEEDS)))
    count = file.rows or len(once)
    cells = (once * (1 + count // len(once)))[:count]
    draw = np.arange(count) // len(once)
    forget = [cell[0] for cell in cells]
    source = [cell[1][1] for cell in cells]
    regime = ["tuned" if a == b else cell[1][0] for a, b, cell in zip(forget, source, cells, strict=True)]
    gap = 2.0 + hash_of(file.method) % 17 + rng.gamma(2.0, 1.0, count)
    identity: Rows = {
        "trial_number": np.arange(count),
        "kind": file.kind,
        "regime": regime,
        "tuned_on": source,
        "seed": np.array([cell[2] for cell in cells]) + 10_000 * draw,
        "forget": forget,
        "draw": draw,
        "eval_split": "test",
        "forget_split": "test",
        "preset": "",
        "state": "complete",
        "error": "",
    }
    chosen = {
        forget: list(_drawn(np.random.default_rng(hash_of(forget)), file.method, 1)) for forget in _CLASSES
    }
    values = {
        f"param_{p.name}": [chosen[s or f][i][1][0] for s, f in zip(source, forget, strict=True)]
        for i, (p, _) in enumerate(chosen[_CLASSES[0]])
    }
    return _common(rng, file, count) | identity | _figures(rng, gap, np.zeros(count, bool)) | values


def _common(rng: np.random.Generator, file: FileOfRows, count: int) -> Rows:
    run_id = f"{file.run}/{hash_of(file.method):08x}"
    seconds = rng.integers(0, 10_000_000, count) + hash_of(file.run) % 86_400
    began = np.datetime64(_BEGAN.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")
    original = f"{file.scenario[0]}-{file.scenario[1]}-original-{hash_of(str(file.scenario)):08x}"
    return {
        "run_id": run_id,
        "trial_id": [
            f"{run_id}:{file.method}:{file.sets[0]}:{hash_of(file.path):08x}:{i}" for i in range(count)
        ],
        "scale": 1.0,
        "forget_count": 400,
        "scenario_seed": 0,
        "draw": 0,
        "original_id": original,
        "retrained_from": "fresh",
        "data_id": "c26ac7386b57fc6e",
        "code_id": "",
        "access": "retain",
        "preset_paper": "",
        "preset_differs": "",
        "precision": "float32",
        "attempts": 1,
        "unlearn_s": rng.gamma(2.0, 1.0 + hash_of(file.method) % 9, count),
        "eval_s": rng.gamma(9.0, 0.01, count),
        "overhead_s": rng.gamma(9.0, 0.002, count),
        "peak_memory_mb": rng.normal(900.0, 20.0, count),
        "samples_forward": rng.integers(1, 50_000, count),
        "samples_backward": rng.integers(1, 50_000, count),
        "device": "cpu",
        "gpu_fraction": 0.0,
        "started_at": began,
        "finished_at": began + np.timedelta64(7, "s"),
        "host": f"node{hash_of(file.path) % 40}",
        "version": "0.1.0",
        "torch_version": "2.14.1",
    }


def _figures(rng: np.random.Generator, gap: np.ndarray, failed: np.ndarray) -> Rows:
    count = len(gap)
    measured = {
        "retain_acc": RETRAINED["retain_acc"] - gap + rng.normal(0.0, 0.3, count),
        "forget_acc": RETRAINED["forget_acc"] + gap * rng.random(count),
        "mia": RETRAINED["mia"] + gap * rng.random(count),
        "gap": gap,
        "objective": gap,
        "retain_train_acc": 99.0 - gap,
        "test_acc": 88.0 - gap,
        "mia_retain": rng.normal(80.0, 3.0, count),
        "mia_test": rng.normal(60.0, 3.0, count),
        "mia_threshold": rng.random(count),
        "mia_train": rng.normal(80.0, 3.0, count),
    }
    targets = {
        f"target_{name}": 60.0
        for name in ("mia_retain", "mia_test", "mia_threshold", "mia_train", "test_acc")
    }
    targets |= {f"target_{name}": value for name, value in RETRAINED.items()}
    return {
        name: [None if lost else v for v, lost in zip(values.tolist(), failed, strict=True)]
        for name, values in measured.items()
    } | targets


def _drawn(rng: np.random.Generator, method: str, count: int) -> Iterator[tuple[Any, Any]]:
    """The parameters of a method: of its first four with a range drawn values, of others the default."""
    left = 4
    for p in declared(methods.get(method).Params):
        if p.low is not None and p.high is not None and left:
            left -= 1
            u = rng.random(count)
            values = p.low * (p.high / p.low) ** u if p.log else p.low + (p.high - p.low) * u
            yield p, np.round(values).astype(int) if p.kind is int else values
        elif p.default is not None:
            yield p, np.full(count, p.default) if p.kind is not str else [p.default] * count
