"""The result tables: per method, per forgotten class, and for the classes that stay.

All take the rows of the benchmark stage (kinds `benchmark` and `reference`). If several runs measured the
same thing (scenario, forget set, method, regime, preset, set tuned on), only the latest run counts. So no
seed is counted twice, and no two choices of parameters are averaged on one forget set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import pandas as pd

from analysis.results.load import Trials, used
from analysis.spread import COUNTS, UNIT, counts_by, decompose_by, levels_by, units, units_by
from analysis.studies import REFERENCES, SCENARIO, VARIANT, complete, numbered

FIGURES = ("retain_acc", "forget_acc", "mia", "gap", "unlearn_s")
REGIMES = ["", "published", "default", "tuned", "transferred", "tuned + transferred"]
JOINT_REGIME = "tuned + transferred"
COLUMNS = [  # the columns that `benchmarked` uses, in addition to those of every row
    *(*SCENARIO, "forget", *VARIANT, *UNIT, "preset_paper", "preset_differs"),
    *("run_id", "trial_id", "kind", "state", "finished_at"),
]
# id of a table -> the table, because the id of a deleted one may be used again, and its rows
_known: ContextVar[dict[int, tuple[pd.DataFrame, pd.DataFrame]] | None] = ContextVar("known", default=None)
SOURCES = " | "  # separates the forget sets in `tuned_on` whose searches chose the same values


def benchmarked(trials: pd.DataFrame) -> pd.DataFrame:
    """The rows of the benchmark stage that count, failed ones included.

    Work that a run did twice, with the same seed on the same draw and original, counts once; otherwise it
    would have a deviation of 0.

    A trial whose values were tuned on several forget sets, or equal published ones, ran once. Here it is a
    row for each of these regimes, which never share a line of a table.

    `regime`, `preset`, `tuned_on` and `draw` are never null. Files from before the column `tuned_on` had one
    searched forget set per run, so it is the set with tuned rows. Files from before the column `draw` only
    have the first draw.
    """
    known = _known.get()
    if known is None:
        return _benchmarked(trials)
    if id(trials) not in known:
        known[id(trials)] = trials, _benchmarked(trials)
    return known[id(trials)][1].copy()


@contextmanager
def computed_once() -> Iterator[None]:
    """In this context, in which no table may be changed, `benchmarked` computes the rows of a table once."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def _benchmarked(trials: pd.DataFrame) -> pd.DataFrame:
    rows = trials[trials["kind"].isin(["benchmark", "reference"])].reset_index(drop=True)
    texts = ["regime", "tuned_on", "preset", "preset_paper", "preset_differs"]
    rows = numbered(rows.reindex(columns=rows.columns.union(texts, sort=False)))
    for name in texts:
        rows[name] = rows[name].astype(object).fillna("").astype(str)
    if rows.empty:
        return rows
    rows = _claims(rows)
    rows["tuned_on"] = _searched_set(rows)
    keys = [*SCENARIO, "forget", *VARIANT]
    ended = rows.groupby([*keys, "run_id"])["finished_at"].max().reset_index()
    latest = ended.sort_values("finished_at", kind="stable").groupby(keys).tail(1)
    rows = rows.merge(latest[[*keys, "run_id"]], on=[*keys, "run_id"])
    again = _finished_last(rows).duplicated([*keys, *UNIT], keep="last")
    return rows[~again.sort_index()].reset_index(drop=True)


def with_joint_regime(rows: pd.DataFrame, within: Sequence[str] = SCENARIO) -> pd.DataFrame:
    """Rows of the benchmark stage, with tuned and transferred ones added again as a joint regime.

    The added regime `tuned + transferred` is the papers' way to choose parameters: on one forget set, for
    all. `within` names the columns that distinguish experiments.
    """
    searched = rows[rows["regime"].isin(["tuned", "transferred"]) & (rows["tuned_on"] != "")]
    regimes = searched.groupby([*within, "method", "tuned_on"])["regime"].transform("nunique")
    return pd.concat([rows, searched[regimes > 1].assign(regime=JOINT_REGIME, preset="")], ignore_index=True)


def merge_tuned(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with an empty `tuned_on` for `tuned`: parameters tuned on their forget sets are one regime."""
    return rows.assign(tuned_on=rows["tuned_on"].where(rows["regime"] != "tuned", ""))


def by_class(trials: Trials, metrics: Sequence[str] = FIGURES) -> pd.DataFrame:
    """Mean and standard deviation per forget set, method, regime, preset and source.

    Args:
        trials: The table or a results location; from a location a million trials take seconds.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on (of transferred parameters), forget, n
        (complete trials), failed, originals, draws and seeds (the number of originals, the largest number of
        draws of an original and of seeds on a draw), over (the level of the deviation: the outermost of them
        with several; the others are averaged first), and per metric `<metric>_mean` and `<metric>_std`
        (ddof=1; nan for a single one), in the metric's unit. Original first, then retrain, then the methods
        by name.
    """
    rows = benchmarked(used(trials, "benchmark", [*COLUMNS, *metrics]))
    return _summary(merge_tuned(rows), [*SCENARIO, *VARIANT, "forget"], metrics)


def overall(trials: Trials, metrics: Sequence[str] = FIGURES) -> pd.DataFrame:
    """Mean and standard deviation over all forget sets together, one row per method and its parameters.

    A method with rows of both searched regimes, tuned on one forget set and transferred to others, has
    another row `tuned + transferred` over all of them, which is comparable with methods that were run on
    every forget set.

    Args:
        trials: The table or a results location; from a location a million trials take seconds.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget (the sets averaged, joined by ", "),
        forget_sets (their number), and the rest as for `by_class`; a deviation is over all forget sets and,
        within each, over the level in `over`.
    """
    rows = benchmarked(used(trials, "benchmark", [*COLUMNS, *metrics]))
    return _summary(merge_tuned(with_joint_regime(rows)), [*SCENARIO, *VARIANT], metrics)


def spread_levels(trials: pd.DataFrame, metrics: Sequence[str] = FIGURES) -> pd.DataFrame:
    """The spread between originals, draws and seeds separately, if there are several draws or originals.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, metric, n (trials), and of the metric:
        mean, originals, draws, seeds (standard deviations, see `spread.decompose_by`). Only forget sets with
        several draws or originals.
    """
    keys = [*SCENARIO, *VARIANT, "forget"]
    header = [*keys, "metric", "n", "mean", *COUNTS]
    rows = complete(merge_tuned(benchmarked(trials)))[[*keys, *UNIT, *metrics]]
    rows = rows.assign(_line=rows.groupby(keys).ngroup())
    several = levels_by(counts_by(rows, "_line"))
    rows = rows[rows["_line"].map(several).isin(["originals", "draws"])]
    if rows.empty:
        return pd.DataFrame(columns=header)
    lines = rows.drop_duplicates("_line").set_index("_line")[keys].sort_index()
    lines["n"] = rows.groupby("_line").size()
    parts = decompose_by(rows, "_line", metrics)
    long = pd.DataFrame({name: part.stack(future_stack=True) for name, part in parts.items()})
    long = long.rename_axis(["_line", "metric"]).reset_index().join(lines, on="_line")
    return ordered(long[header], keys)


def collateral(trials: pd.DataFrame, classes: pd.DataFrame, split: str = "test") -> pd.DataFrame:
    """The accuracy of the classes that stay, relative to the retrained model's.

    Args:
        trials, classes: The two tables.
        split: `test` or `train` images.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, class, n (trials), accuracy (mean, %),
        retrain (mean of the retrained models of the same draws and originals, %), change (accuracy - retrain,
        points) and change_std, over the same level as a deviation of `by_class`. Rows without a retrained
        model to compare with are left out.
    """
    keys = [*SCENARIO, *VARIANT, "forget"]
    empty = pd.DataFrame(columns=[*keys, "class", "n", "accuracy", "retrain", "change", "change_std"])
    if classes.empty:
        return empty
    kept = classes[(classes["split"] == split) & ~classes["forgotten"].astype(bool) & (classes["total"] > 0)]
    rows = kept[["trial_id", "run_id", "class", "correct", "total"]].merge(
        complete(merge_tuned(benchmarked(trials)))[[*keys, *UNIT, "trial_id", "run_id"]],
        on=["trial_id", "run_id"],
    )
    rows["accuracy"] = 100.0 * rows["correct"] / rows["total"]
    cell = [*SCENARIO, "forget", "scenario_seed", "draw", "class"]
    retrain = rows[rows["method"] == "retrain"].groupby(cell)["accuracy"].mean().rename("retrain")
    rows = rows.merge(retrain.reset_index(), on=cell)
    if rows.empty:
        return empty
    rows["change"] = rows["accuracy"] - rows["retrain"]
    parts = []
    for values, group in rows.groupby(keys):
        per_class = units(group, ["accuracy", "retrain", "change"], ["class"]).groupby("class")
        line = per_class.mean().assign(n=group.groupby("class").size(), change_std=per_class["change"].std())
        parts.append(
            line.reset_index().assign(**dict(zip(keys, map(str, values), strict=True)))[empty.columns]
        )
    return ordered(pd.concat(parts), [*keys, "class"])


def per_image(trials: pd.DataFrame, samples: pd.DataFrame, column: str) -> pd.DataFrame:
    """A figure of each unlearned model for each forgotten training image.

    Args:
        column: `entropy` or `loss` (both in nats), or another column of the samples table.

    Returns:
        dataset, model, task, method, regime, preset, tuned_on, forget, seed, image, and the column.
    """
    keys = [*SCENARIO, *VARIANT, "forget", "seed"]
    if samples.empty:
        return pd.DataFrame(columns=[*keys, "image", column])
    rows = samples[["trial_id", "run_id", "image", column]].merge(
        complete(merge_tuned(benchmarked(trials)))[[*keys, "trial_id", "run_id"]], on=["trial_id", "run_id"]
    )
    return ordered(rows[[*keys, "image", column]].dropna(subset=[column]), [*keys, "image"])


def _claims(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each forget set on which a trial's values were tuned, and one for an equal preset."""
    searched = rows["regime"].isin(["tuned", "transferred"])
    by_source = _by_source(rows[searched]).assign(preset="")
    elsewhere = (by_source["tuned_on"] != by_source["forget"]) & (by_source["tuned_on"] != "")
    by_source["regime"] = (
        by_source["regime"]
        .mask(elsewhere, "transferred")
        .mask(by_source["tuned_on"] == by_source["forget"], "tuned")
    )
    published = rows[searched & (rows["preset"] != "")].assign(regime="published", tuned_on="")
    return pd.concat([rows[~searched], by_source, published], ignore_index=True)


def _by_source(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each forget set in `tuned_on`; each text is split once, because many rows share it."""
    codes, texts = pd.factorize(rows["tuned_on"])
    sources = [str(text).split(SOURCES) for text in texts]
    counts = np.array([len(names) for names in sources], dtype=np.int64)[codes]
    named = [name for code in codes.tolist() for name in sources[code]]
    return rows.iloc[np.repeat(np.arange(len(rows)), counts)].assign(tuned_on=np.array(named, dtype=object))


def _finished_last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("state", key=lambda state: state == "complete", kind="stable")


def _searched_set(rows: pd.DataFrame) -> pd.Series:
    """The forget set on which the parameters were searched; for tuned rows the forget set itself."""
    tuned = rows["regime"] == "tuned"
    run = [*SCENARIO, "method", "run_id"]
    unknown = (rows["regime"] == "transferred") & (rows["tuned_on"] == "")
    searched = rows["tuned_on"]
    if unknown.any():
        sets = rows[tuned].groupby(run)["forget"]
        single = sets.first().where(sets.nunique() == 1, "")
        only = rows[run].merge(single.rename("set").reset_index(), on=run, how="left")["set"].fillna("")
        searched = searched.where(~unknown, only)
    return searched.where(~tuned, rows["forget"])


def _summary(rows: pd.DataFrame, keys: list[str], metrics: Sequence[str]) -> pd.DataFrame:
    figures = [f"{m}_{part}" for m in metrics for part in ("mean", "std")]
    sets = [] if "forget" in keys else ["forget", "forget_sets"]
    header = [*keys, *sets, "n", "failed", *COUNTS, "over", *figures]
    if rows.empty:
        return pd.DataFrame(columns=header)
    lines = rows.groupby(keys)
    rows = rows.assign(_line=lines.ngroup())
    rows = rows[rows["_line"] >= 0]
    done = complete(rows)
    table = rows.drop_duplicates("_line").set_index("_line")[keys].sort_index()
    if sets:
        table["forget"], table["forget_sets"] = _forget_sets(rows)
    table["n"] = done.groupby("_line").size()
    table["failed"] = (rows["state"] == "failed").groupby(rows["_line"]).sum()
    table = table.join(counts_by(done, "_line"))
    table[["n", *COUNTS]] = table[["n", *COUNTS]].fillna(0).astype(int)
    table["over"] = levels_by(table)
    independent = units_by(done, "_line", table["over"], metrics, ["forget"]).groupby("_line")[list(metrics)]
    for part, values in (("mean", independent.mean()), ("std", independent.std())):
        table = table.join(values.add_suffix(f"_{part}"))
    return ordered(table.reset_index(drop=True)[header], keys)


def _forget_sets(rows: pd.DataFrame) -> tuple[list[str], list[int]]:
    """The names of each line's forget sets, as a text, and their number."""
    pairs = rows[["_line", "forget"]].drop_duplicates()
    keys = {name: natural(name) for name in pairs["forget"].unique()}
    rank = {key: number for number, key in enumerate(sorted(set(keys.values())))}
    names, lines = pairs["forget"].to_numpy(dtype=object), pairs["_line"].to_numpy()
    order = np.lexsort([np.array([rank[keys[name]] for name in names]), lines])
    starts = np.flatnonzero(np.diff(lines[order], prepend=-1))
    sets = np.split(names[order], starts[1:])
    return [", ".join(line) for line in sets], [len(line) for line in sets]


def ordered(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Original, retrain, then methods by name; regimes in the order of REGIMES; class 10 after class 9."""

    def rank(column: pd.Series) -> pd.Series:
        if column.name == "method":
            return column.map(lambda m: (REFERENCES.index(m) if m in REFERENCES else len(REFERENCES), m))
        if column.name == "regime":
            return column.map(regime_rank)
        return column.map(natural) if column.name in ("forget", "tuned_on", "class") else column

    return frame.sort_values(keys, key=rank, kind="stable").reset_index(drop=True)


def regime_rank(regime: str) -> int:
    """The position of a regime in the order of REGIMES; those of other versions are last."""
    return REGIMES.index(regime) if regime in REGIMES else len(REGIMES)


def natural(name: str) -> tuple[int, float, str]:
    """A key that sorts 9 before 10, and numbers before names.

    Example:
        >>> sorted(["10", "rocket", "9"], key=natural)
        ['9', '10', 'rocket']
    """
    return (0, float(name), "") if str(name).isdecimal() else (1, 0.0, str(name))
