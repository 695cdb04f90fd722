"""The report's chapters about the benchmark stage: results, classes, collateral damage, entropies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from analysis.breakdown import (
    FIGURES,
    JOINT_REGIME,
    benchmarked,
    by_class,
    collateral,
    merge_tuned,
    overall,
    per_image,
    spread_levels,
    with_joint_regime,
)
from analysis.drawing import benchmark as charts
from analysis.forgetting import FEWEST, entropy_difference, forgetting_quality
from analysis.nearest import distances, leaders, of_lines
from analysis.report.nearest_sentences import main_sentence
from analysis.report.page import Picture, Section, Table, picture, table
from analysis.scenarios import by_scenario
from analysis.spread import COUNTS
from analysis.studies import REFERENCES, SCENARIO, VARIANT, metric_names
from analysis.text.labels import DASH, label, number, scaling, scenario_label, variant
from analysis.text.tables import metrics_of, shown, spread_sentence
from analysis.u_lira import u_lira

TOO_MANY = 12
SCORES = ("f_score", "utility", "total_score")


def results(trials: pd.DataFrame) -> Section | None:
    """The main table of every scenario: mean ± std, distance to retrain, the best marked."""
    frame = without_multiple_sources(overall(trials))
    if frame.empty:
        return None
    every = dict(by_scenario(merge_tuned(with_joint_regime(benchmarked(trials)))))
    blocks = [
        _main_table(name, rows.reset_index(drop=True), every[name]) for name, rows in by_scenario(frame)
    ]
    blocks += _other_metrics(trials)
    blocks += _levels(trials)
    text = [
        "Mean ± standard deviation; the caption of each table names the repetitions. Distance to retrain is "
        "the mean absolute difference to the retrained model over retain accuracy, forget accuracy and MIA. "
        "Bold marks the method nearest to the retrained model, or the fastest, among the methods that were "
        "run on every forget set of the table. It also marks the methods that cannot be distinguished from "
        "it: the 95 % interval of the difference, repetition by repetition, contains 0. With a single "
        "repetition no methods can be distinguished, and bold is only the lowest value."
    ]
    images = [task for task in ("random", "identities") if task in set(frame["task"])]
    if images:
        text.append(
            f"In the task {' and in '.join(images)} no image of the forget set is held out: forget "
            "accuracy is measured on the forgotten training images themselves."
        )
    if "sequence" in set(frame["task"]):
        text.append("In the task sequence the figures are measured after the last request.")
    started = _started_from(trials)
    small = scaling(zip(frame["dataset"], frame["model"], strict=True))
    text += [*([started] if started else []), *([small] if small else [])]
    return Section("results", "Results", text, blocks)


def _started_from(trials: pd.DataFrame) -> str:
    """The consequences for retrained models that started from weights that were not fresh."""
    rows = benchmarked(trials)
    sentences = []
    for start, meaning in (
        (
            "pretrained",
            "from published weights, except for the last layer. These may have learned about the forgotten "
            "images elsewhere, and then the retrained model knows it too: it shows the effect of training "
            "here, not a model that never saw such images",
        ),
        (
            "checkpoint",
            "from weights that only its owner knows, because it is a user-defined model",
        ),
    ):
        models = rows.loc[rows["retrained_from"] == start, ["dataset", "model"]].drop_duplicates()
        if len(models):
            names = " and ".join(scenario_label(*pair) for pair in models.to_numpy())
            sentences.append(f"On {names} the retrained model started {meaning}.")
    return " ".join(sentences)


def classes(trials: pd.DataFrame, palette: Mapping[str, str]) -> Section | None:
    """Every method on every forget set: a chart and the full table."""
    frame = by_class(trials)
    if frame.empty:
        return None
    blocks: list[Table | Picture] = []
    for name, rows in by_scenario(frame):
        drawn = without_multiple_sources(rows)
        if rows["forget"].nunique() <= TOO_MANY:
            blocks.append(picture(charts.breakdown(drawn, palette=palette), _spread_sentence(name, drawn)))
        text = _distance_first(shown(rows))
        heads = list(text.columns)
        figures = {label(m) for m in metrics_of(rows)} | {"n", "Failed"}
        caption = f"{name}: every forget set by itself. {spread_sentence(rows)}"
        blocks.append(table(caption, heads, text.to_numpy().tolist(), figures, folded=len(rows) > 24))
    return Section("classes", "By forgotten class", [], blocks)


def damage(trials: pd.DataFrame, per_class: pd.DataFrame) -> Section | None:
    """The change of the classes that stay, relative to retraining."""
    frame = without_multiple_sources(collateral(trials, per_class))
    frame = frame[frame["method"] != "retrain"]
    if frame.empty:
        return None
    blocks = []
    for name, rows in by_scenario(frame):
        sets = list(dict.fromkeys(rows["forget"]))[:6]
        part = rows[rows["forget"].isin(sets)]
        methods = part[~part["method"].isin(REFERENCES)]
        worst = (part if methods.empty else methods).nsmallest(1, "change").iloc[0]
        who = variant(*worst[VARIANT])
        blocks.append(
            picture(
                charts.collateral(part),
                f"{name}: test accuracy of the classes that stay, relative to the retrained model. "
                f"Furthest below is {who} when it forgets {worst['forget']}: {worst['change']:+.1f} points "
                f"on {worst['class']}. {_collateral_sureness(worst)}",
            )
        )
    return Section("collateral", "Classes that stay", [], blocks, folded=True)


def _collateral_sureness(worst: pd.Series) -> str:
    """The spread of the largest drop, and that it was picked from many."""
    trials = f"{worst['n']} trials" if worst["n"] > 1 else "one trial"
    if math.isnan(worst["change_std"]):
        return f"That is from {trials} without a known spread, and the largest of many drops."
    return (
        f"Its standard deviation is {worst['change_std']:.1f} over {trials}; it is the largest of many drops."
    )


def entropy(trials: pd.DataFrame, samples: pd.DataFrame, palette: Mapping[str, str]) -> Section | None:
    """The entropies of the models' outputs on the forgotten images."""
    frame = without_multiple_sources(per_image(trials, samples, "entropy"))
    if frame.empty:
        return None
    blocks: list[Table | Picture] = []
    differences = dict(
        by_scenario(without_multiple_sources(merge_tuned(entropy_difference(trials, samples))))
    )
    for name, rows in by_scenario(frame):
        groups = rows.groupby(VARIANT, sort=False)["entropy"]
        known = [f"{variant(*map(str, key))}: {values.median():.2g}" for key, values in groups]
        blocks.append(
            picture(
                charts.distribution(rows, "entropy", palette),
                f"{name}: entropy of the softmax on the forgotten training images, with the retrained "
                "model's in grey; low entropy gives a member away. Images of all trials are counted "
                f"together, so the spread includes that between seeds. Medians in nats: {'; '.join(known)}.",
            )
        )
        if name in differences:
            blocks.append(_entropy_table(name, differences[name]))
    return Section("entropy", "Entropy of the forgotten images", [], blocks, folded=True)


def _entropy_table(name: str, rows: pd.DataFrame) -> Table:
    caption = (
        f"{name}: entropies minus those of the retrained model with the same seed, image by image; medians "
        "over the seeds. The row of retrain compares seeds with each other and shows the expected values. A "
        "large p of the signed-rank test does not show that they are equal. The Kolmogorov-Smirnov distance "
        "is between 0 and 1."
    )
    heads = ["Forget set", "Method", "Images", "Median difference (nats)", "Wilcoxon p", "Distance"]
    lines = [
        [
            row["forget"],
            variant(*row[VARIANT]),
            str(row["images"]),
            f"{row['difference']:+.2g}",
            DASH if math.isnan(row["wilcoxon_p"]) else f"{row['wilcoxon_p']:.2g}",
            f"{row['ks']:.2f}",
        ]
        for _, row in rows.iterrows()
    ]
    return table(caption, heads, lines, set(heads[2:]), folded=len(rows) > TOO_MANY)


def quality(trials: pd.DataFrame, samples: pd.DataFrame) -> Section | None:
    """Whether unlearned and retrained models can be distinguished, where there are enough of both."""
    scored = without_multiple_sources(merge_tuned(forgetting_quality(trials, samples)))
    attacked = without_multiple_sources(merge_tuned(u_lira(trials, samples)))
    blocks = [_score_table(name, rows) for name, rows in by_scenario(scored)]
    blocks += [_attack_table(name, rows) for name, rows in by_scenario(attacked)]
    return Section("quality", "Compared with retrained models", [], blocks, folded=True) if blocks else None


def _score_table(name: str, rows: pd.DataFrame) -> Table:
    caption = (
        f"{name}: for each forget image, an attack separates the unlearned models of all seeds from the "
        "retrained ones by a threshold on the loss. At an F-score of 1 this is as hard as separating "
        "retrained models from each other. The total score is the F-score times train and test accuracy "
        "relative to the retrained models. With few models the scores are rough: this report needs at least "
        f"{FEWEST}, the papers use 32 to 512."
    )
    lines = [
        [row["forget"], variant(*row[VARIANT]), str(row["n"]), *(number(row[m], m) for m in SCORES)]
        for _, row in rows.iterrows()
    ]
    heads = ["Forget set", "Method", "Models", *map(label, SCORES)]
    return table(caption, heads, lines, set(heads[2:]))


def _attack_table(name: str, rows: pd.DataFrame) -> Table:
    caption = (
        f"{name}: U-LiRA, an attacker who has the unlearned and retrained models of all seeds except one, "
        "and classifies the models of that seed by their confidence in each forget image. 50 % is chance. "
        "The ± is a standard error over seeds. The row of retrain compares odd with even seeds: it shows "
        "chance, with half as many models."
    )
    lines = [
        [
            row["forget"],
            variant(*row[VARIANT]),
            str(row["n"]),
            f"{row['accuracy']:.1f} ± {row['accuracy_se']:.1f}",
            f"{row['auc']:.1f}",
        ]
        for _, row in rows.iterrows()
    ]
    heads = ["Forget set", "Method", "Models", "Accuracy (%)", "AUC (%)"]
    return table(caption, heads, lines, set(heads[2:]))


def without_multiple_sources(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows without parameters transferred from several sets, which have a chapter of their own."""
    moved = frame["regime"].isin(["transferred", JOINT_REGIME])
    sources = frame["tuned_on"].where(moved).groupby([frame[c] for c in (*SCENARIO, "method")])
    return frame[~moved | (sources.transform("nunique") < 2)]


def _main_table(name: str, rows: pd.DataFrame, every: pd.DataFrame) -> Table:
    """The table of a scenario from its rows of `overall` and the trials that they summarise."""
    full = rows["forget_sets"] == rows["forget_sets"].max()
    candidates = rows[full & ~rows["method"].isin(REFERENCES) & (rows["n"] > 0)]
    if candidates.empty:
        candidates = rows[~rows["method"].isin(REFERENCES) & (rows["n"] > 0)]
    text = _distance_first(shown(rows))
    heads = list(text.columns)
    row_of = {key: i for i, key in enumerate(rows[VARIANT].itertuples(index=False, name=None))}
    lines = list(candidates[VARIANT].itertuples(index=False, name=None))
    metrics = metrics_of(rows)
    strong = {
        (row_of[key], heads.index(label(metric)))
        for metric in metrics
        for key in leaders(of_lines(distances(every, metric), lines))
    }
    figures = {label(m) for m in metrics} | {"n", "Failed"}
    sentence = main_sentence(name, rows, every, lines).removesuffix(".")
    caption = f"{sentence}. {spread_sentence(rows)}"
    return table(caption, heads, text.to_numpy().tolist(), figures, strong)


def _distance_first(text: pd.DataFrame) -> pd.DataFrame:
    """A table whose second column is the distance, so that a phone shows it."""
    first = ["Method", label("gap")]
    return text[[*first, *(head for head in text.columns if head not in first)]]


def _other_metrics(trials: pd.DataFrame) -> Iterator[Table]:
    """A folded table of the other metrics for each scenario."""
    for name, rows in by_scenario(benchmarked(trials)):
        others = [metric for metric in metric_names(rows) if metric not in FIGURES]
        if not others:
            continue
        frame = without_multiple_sources(overall(rows, others))
        text = shown(frame)
        heads = list(text.columns)
        figures = {label(m) for m in others} | {"n", "Failed"}
        caption = f"{name}: every other metric"
        if "anamnesis_index" in others:
            caption += " (an Anamnesis index is the mean over the trials that relearned)"
        caption += f". {spread_sentence(frame)}"
        yield table(caption, heads, text.to_numpy().tolist(), figures, folded=True)


def _levels(trials: pd.DataFrame) -> Iterator[Table]:
    """A folded table of the levels of spread, for scenarios with several draws or originals."""
    for name, rows in by_scenario(without_multiple_sources(spread_levels(trials))):
        heads = ["Forget set", "Method", "Figure", "Trials", "Mean", "± originals", "± draws", "± seeds"]
        lines = [
            [
                row["forget"],
                variant(*row[VARIANT]),
                label(row["metric"]),
                str(row["n"]),
                *(number(row[part], row["metric"]) for part in ("mean", *COUNTS)),
            ]
            for _, row in rows.iterrows()
        ]
        caption = (
            f"{name}: standard deviations between original models, between draws of the forget set of an "
            "original, and between method seeds on a draw; each is of means over the levels to its right"
        )
        yield table(caption, heads, lines, set(heads[3:]), folded=True)


def _spread_sentence(name: str, rows: pd.DataFrame) -> str:
    methods = rows[~rows["method"].isin(REFERENCES)].dropna(subset=["gap_mean"])
    groups = methods.groupby(VARIANT)["gap_mean"]
    sentence = (
        f"{name}: mean (marker) and standard deviation (line) for each forget set; the bar is retrain. "
        f"{spread_sentence(rows)}"
    )
    wide = (groups.max() - groups.min()).sort_values()
    if not len(wide) or rows["forget"].nunique() < 2 or wide.iloc[-1] <= 0:
        return sentence
    key = wide.index[-1]
    low, high = groups.min()[key], groups.max()[key]
    return (
        f"{sentence} The forget set matters most to {variant(*key)}: its distance to retrain ranges from "
        f"{number(float(low))} to {number(float(high))} points."
    )
