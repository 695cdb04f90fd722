"""Every column of the six tables: its type, its unit and its meaning.

Every file of the trials table has a column for every hyper-parameter of every registered method, because
readers take the columns of the first file and drop those that only other files have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from analysis.results.layout import VERSION, VERSION_KEY
from benchmarks.hyperparameters import Hyperparameter, declared
from benchmarks.methods import methods
from benchmarks.metrics import default_metrics, metrics
from benchmarks.metrics.synthetic import NAMES as SYNTHETIC
from benchmarks.metrics.targets import has_spread

_TYPES: dict[type, pa.DataType] = {float: pa.float64(), int: pa.int64(), str: pa.string(), bool: pa.bool_()}


@dataclass(frozen=True)
class Column:
    """One column of a table; `extra` is stored in the Parquet field in addition to unit and description."""

    name: str
    type: pa.DataType
    doc: str
    unit: str = ""
    group: str = ""
    extra: dict[str, Any] = field(default_factory=dict, hash=False)

    def field(self) -> pa.Field:
        meta = {"description": self.doc, "unit": self.unit, "group": self.group}
        meta |= {key: json.dumps(value) for key, value in self.extra.items()}
        return pa.field(self.name, self.type, metadata=meta)


_TEXT, _INT, _REAL, _TIME = pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", tz="UTC")

_IDENTITY = (
    Column(
        "run_id",
        _TEXT,
        "The run that wrote the row, a slash and a digest for the method (space or values, user-defined "
        "code); the part before the slash names its files and its plan in _runs",
    ),
    Column("trial_id", _TEXT, "Unique in the folder; joins the tables"),
    Column("trial_number", _INT, "Position in its study, from 0"),
    Column("kind", _TEXT, "search, benchmark, sensitivity or reference (original, retrain)"),
    Column(
        "regime",
        _TEXT,
        "Where the hyper-parameters come from: published, tuned (searched on this forget set), "
        "transferred (searched on another one), default; empty for references",
    ),
    Column(
        "tuned_on",
        _TEXT,
        "Forget set that the hyper-parameters were searched on; several with the same result are joined by "
        "' | '; empty for others",
    ),
    Column("seed", _INT, "Seed of the method's randomness"),
    Column(
        "shared_seed",
        _INT,
        "Seed of the parts of a method that no hyper-parameter changes; the same for all trials of a search",
    ),
    Column("scale", _REAL, "Share of the published work that the plan ran; a row below 1 is not a result"),
)
_SCENARIO = (
    Column(
        "forget",
        _TEXT,
        "Forgotten classes or people joined by +, requests by >; or a number of images or people, which may "
        "be 'of CLASS+CLASS'; or ids-<count>-<digest> of the images that a file lists",
    ),
    Column("forget_count", _INT, "Training images to forget", "images"),
    Column("scenario_seed", _INT, "Seed of the original and the retrained model"),
    Column("draw", _INT, "Which sample of a number of images or people is forgotten, from 0; else 0"),
    Column(
        "original_id", _TEXT, "The original model: its name in the model cache, or the checkpoint's digest"
    ),
    Column(
        "retrained_from",
        _TEXT,
        "Start of the retrained model: fresh weights, pretrained weights (which may have seen the forgotten "
        "images), or checkpoint, your own retrained model",
    ),
    Column("data_id", _TEXT, "Fingerprint of the images, train and test, and of their labels"),
    Column(
        "code_id", _TEXT, "Digest of user-defined code: method, metrics, network and data set; empty for none"
    ),
    Column("eval_split", _TEXT, "Held-out images measured: validation (search) or test (benchmark)"),
    Column("forget_split", _TEXT, "Images behind forget_acc: train (random, identities) or as eval_split"),
    Column(
        "eval_limit",
        _INT,
        "Maximum number of images evaluated per split, by the plan or by a search, which evaluates the whole "
        "forget set; missing for all",
        "images",
    ),
)
_METHOD = (
    Column(
        "access",
        _TEXT,
        "What the method may use with these hyper-parameters: model, class_id, forget or retain",
    ),
    Column("preset", _TEXT, "Name of the published values used; empty for others"),
    Column("preset_paper", _TEXT, "Paper that these values were published in, such as jit; empty for others"),
    Column(
        "preset_differs",
        _TEXT,
        "Differences of the experiment that they were published for: data set, network; empty if they were "
        "published for this experiment",
    ),
    Column(
        "started_from",
        _TEXT,
        "Start of the search: the trial of other results, or of an Optuna study, with these parameters, "
        "or plan for a point from the plan; 'N trials as history DIGEST' if the sampler had learned "
        "from trials that were run elsewhere; empty for others",
    ),
    Column("sampler", _TEXT, "Sampler that drew the points of the search; empty for others"),
    Column(
        "repeats", _INT, "Number of trials, with seeds from `seed` on, whose means the figures are; usually 1"
    ),
    Column("precision", _TEXT, "float32, or bfloat16: the method ran under autocast"),
)
_OUTCOME = (
    Column("state", _TEXT, "complete, failed or pruned"),
    Column("error", _TEXT, "Why it failed or was pruned, in one line"),
    Column(
        "objective",
        _REAL,
        "Minimised objective of the plan's search; gap also for pareto; the mean of several repeats",
        "points",
    ),
    Column("objective_std", _REAL, "Standard deviation of the objective over repeats; missing for one"),
    Column(
        "regret_bound",
        _REAL,
        "Bound on the possible gain of the search at that time, with high probability, by the trials before; "
        "only if the plan's search stops by it",
        "points",
    ),
    Column("eval_images", _INT, "Images evaluated in total; missing without a result", "images"),
    Column(
        "eval_ended",
        _TEXT,
        "Why a search evaluated only the forget set and the first retained images, from which all figures of "
        "the row are then calculated; empty for others",
    ),
    Column("attempts", _INT, "How often it was started; more than 1 if workers died or memory ran out"),
    Column("gap_at_25", _REAL, "Gap after a quarter of the method, where the search may prune it", "points"),
    Column("gap_at_50", _REAL, "Gap after half of the method, where the search may prune it", "points"),
    Column("gap_at_75", _REAL, "Gap after three quarters, where the search may prune it", "points"),
)
_COST = (
    Column(
        "unlearn_s",
        _REAL,
        "Time of the method alone, synchronised, including reused parts",
        "s",
    ),
    Column("shared_s", _REAL, "Seconds of unlearn_s in parts that no hyper-parameter changes", "s"),
    Column(
        "reused_s", _REAL, "Seconds of unlearn_s not spent, because another trial had computed the part", "s"
    ),
    Column("eval_s", _REAL, "Evaluation and metrics", "s"),
    Column(
        "overhead_s",
        _REAL,
        "Remaining time of the worker: copying the model, details, additional metrics",
        "s",
    ),
    Column("peak_memory_mb", _REAL, "Peak while the method ran: GPU, or the process on a CPU", "MiB"),
    Column("samples_forward", _INT, "Images passed forward by the method", "images"),
    Column("samples_backward", _INT, "Images passed backward by the method", "images"),
    Column(
        "energy_j",
        _REAL,
        "Energy that the GPU used while the method ran, including reused parts; missing on a CPU, if the "
        "driver does not measure it, and if the trial had a share of a GPU",
        "J",
    ),
    Column("device", _TEXT, "cpu or the GPU's name"),
    Column("gpu_fraction", _REAL, "Share of a GPU that the trial had", "GPU"),
    Column("gpu_kind", _TEXT, "Kind of that GPU, as Ray names it; missing on a CPU"),
    Column("gpu_peak_mb", _REAL, "Peak with the CUDA context, if the trial had a whole GPU", "MiB"),
    Column("gpu_total_mb", _REAL, "Memory of that GPU", "MiB"),
    Column(
        "gpu_busy",
        _REAL,
        "Share of the time in which that GPU computed; missing if the trial took less than a second",
        "percent",
    ),
    Column("gpu_out_of_memory", _REAL, "Share of a GPU with which memory ran out, if it did", "GPU"),
)
_PROVENANCE = (
    Column("started_at", _TIME, "Start of the trial, UTC"),
    Column("finished_at", _TIME, "End of the trial, UTC"),
    Column("host", _TEXT, "Machine that ran it"),
    Column("version", _TEXT, "Version of unlearnbench"),
    Column("torch_version", _TEXT, "Version of torch"),
)


def trial_columns() -> tuple[Column, ...]:
    """Columns of the trials table, with those of all registered methods and metrics."""
    groups = {
        "identity": _IDENTITY,
        "scenario": _SCENARIO,
        "method": (*_METHOD, *_parameters()),
        "outcome": _OUTCOME,
        "metrics": _metrics(),
        "cost": _COST,
        "provenance": _PROVENANCE,
    }
    return tuple(_grouped(groups))


def class_columns() -> tuple[Column, ...]:
    """Columns of the classes table: one row per trial, split and class."""
    return (
        Column("run_id", _TEXT, "As in trials"),
        Column("trial_id", _TEXT, "As in trials"),
        Column("forget", _TEXT, "As in trials"),
        Column("draw", _INT, "As in trials"),
        Column("split", _TEXT, "train or test"),
        Column("class", _TEXT, "Name of the (finest) class"),
        Column("forgotten", pa.bool_(), "Whether these images are the forget set"),
        Column("correct", _INT, "Images whose label the model predicts", "images"),
        Column("total", _INT, "Images of the class in the split", "images"),
    )


def sample_columns() -> tuple[Column, ...]:
    """Columns of the samples table: one row per trial and forgotten training image."""
    return (
        Column("run_id", _TEXT, "As in trials"),
        Column("trial_id", _TEXT, "As in trials"),
        Column("forget", _TEXT, "As in trials"),
        Column("draw", _INT, "As in trials"),
        Column("image", _INT, "Index of the image in the data set's training split"),
        Column("entropy", _REAL, "Entropy of the softmax", "nats"),
        Column("loss", _REAL, "Cross-entropy of the true label", "nats"),
        Column("p_true", _REAL, "Probability of the true label"),
        Column("correct", pa.bool_(), "Whether the model predicts the true label"),
        Column("predicted", _TEXT, "Name of the class that the model predicts"),
        Column("confidence", _REAL, "Log-odds of the true label, log p - log(1 - p)", "nats"),
        Column("curvature", _REAL, "Hessian over gradient of the label's probability, where it was measured"),
        Column("agreement", _REAL, "Share of its ball with the label's class, where it was measured"),
    )


def step_columns() -> tuple[Column, ...]:
    """Columns of the steps table: one row per trial of the task sequence, and request."""
    return (
        Column("run_id", _TEXT, "As in trials"),
        Column("trial_id", _TEXT, "As in trials"),
        Column("forget", _TEXT, "As in trials"),
        Column("draw", _INT, "As in trials"),
        Column("step", _INT, "Position of the request in the sequence, from 1"),
        Column("request", _TEXT, "Classes to forget in this step; its metrics are of all so far"),
        *_metrics(),
        Column("unlearn_s", _REAL, "The method in this step", "s"),
    )


def progress_columns() -> tuple[Column, ...]:
    """Columns of the progress table: one row per trial and point at which it was measured while running."""
    return (
        Column("run_id", _TEXT, "As in trials"),
        Column("trial_id", _TEXT, "As in trials"),
        Column("forget", _TEXT, "As in trials"),
        Column("draw", _INT, "As in trials"),
        Column("done", _REAL, "Share of the method's completed steps, above 0 and at most 1"),
        Column("seconds", _REAL, "Time of the method until then, as unlearn_s", "s"),
        *(column for column in _metrics() if column.name in {*default_metrics(), *SYNTHETIC}),
    )


def inversion_columns() -> tuple[Column, ...]:
    """Columns of the inversions table: one row per trial and image that its model recognises as a class."""
    return (
        Column("run_id", _TEXT, "As in trials"),
        Column("trial_id", _TEXT, "As in trials"),
        Column("forget", _TEXT, "As in trials"),
        Column("draw", _INT, "As in trials"),
        Column("image", _INT, "Number of the image among those of its trial and class, from 0"),
        Column("shows", _TEXT, "Forgotten class that it was made to show"),
        Column("recognised", _TEXT, "Class that the independent network recognises in it"),
        Column("png", _TEXT, "The image, a PNG file in base64"),
    )


TABLES = {
    "trials": trial_columns,
    "classes": class_columns,
    "samples": sample_columns,
    "steps": step_columns,
    "progress": progress_columns,
    "inversions": inversion_columns,
}


def schema(table: str) -> pa.Schema:
    """The declared Arrow schema of a table, without the partition columns."""
    fields = [column.field() for column in TABLES[table]()]
    return pa.schema(fields, metadata={VERSION_KEY: str(VERSION).encode()})


def _parameters() -> list[Column]:
    """One column per hyper-parameter name; methods with the same name must have the same type."""
    by_name: dict[str, dict[str, Hyperparameter]] = {}
    for method in methods:
        for p in declared(method.Params):
            by_name.setdefault(p.name, {})[method.name] = p
    columns = []
    for name, users in sorted(by_name.items()):
        kinds = {p.kind for p in users.values()}
        if kinds == {int, float}:
            kinds = {float}
        if len(kinds) > 1:
            raise TypeError(f"methods {', '.join(users)} declare '{name}' with different types")
        docs = sorted({p.doc for p in users.values()})
        ranges = {m: [p.low, p.high, p.log] for m, p in users.items() if p.has_range}
        columns.append(
            Column(
                f"param_{name}",
                _TYPES[kinds.pop()],
                "; ".join(docs),
                extra={"methods": sorted(users), "ranges": ranges},
            )
        )
    return columns


def _metrics() -> list[Column]:
    columns = [Column(m.name, _REAL, m.summary, m.unit) for m in metrics]
    for m in metrics:
        columns.append(Column(f"target_{m.name}", _REAL, f"{m.name} of retrained models, their mean", m.unit))
        if has_spread(m.name):
            doc = f"Standard deviation of {m.name} over retrained models; missing for one of them"
            columns.append(Column(f"target_{m.name}_std", _REAL, doc, m.unit))
    return columns


def _grouped(groups: Mapping[str, Iterable[Column]]) -> Iterable[Column]:
    for group, columns in groups.items():
        for c in columns:
            yield Column(c.name, c.type, c.doc, c.unit, group, c.extra)
