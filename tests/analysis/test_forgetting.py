"""The F-score against the published definition, written out here threshold by threshold."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.forgetting import entropy_difference, epsilon, forgetting_quality, score
from analysis.published import select
from analysis.published.compare import COMPARED, UNMEASURED, cells
from tests.analysis.conftest import PARTITIONS, frame, measured

DELTA = 0.1


def directly(unlearned: list[float], retrained: list[float]) -> float:
    """Equation 2 of one image: every threshold, both ways round, rates smoothed."""
    epsilons = []
    for threshold in (*unlearned, *retrained):
        below = [(sum(x <= threshold for x in xs) + 0.5) / (len(xs) + 1) for xs in (unlearned, retrained)]
        for fnr, fpr in ((1 - below[0], below[1]), (below[0], 1 - below[1])):
            for a, b in ((fpr, fnr), (fnr, fpr)):
                if 1 - DELTA - a > 0:
                    epsilons.append(math.log(1 - DELTA - a) - math.log(b))
    return max(epsilons)


@pytest.mark.parametrize("models", [(5, 5), (8, 3), (1, 4), (16, 16)])
def test_epsilon_against_every_threshold(models: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    images = 200
    unlearned = draw.gamma(2, 1, (models[0], images)).round(1)  # rounded: some losses are equal
    retrained = draw.gamma(2, draw.uniform(0.3, 4, images), (models[1], images)).round(1)
    expected = [directly(list(u), list(r)) for u, r in zip(unlearned.T, retrained.T, strict=True)]
    assert epsilon(unlearned, retrained) == pytest.approx(expected)
    assert len(set(expected)) > 2


def test_the_scale_of_the_score() -> None:
    same, far = np.zeros((4, 3)), np.ones((4, 3))
    nothing, everything = math.log(0.9 - 0.1) - math.log(0.9), math.log(0.9 - 0.1) - math.log(0.1)
    assert epsilon(same, same) == pytest.approx([nothing] * 3)
    assert epsilon(same, far) == pytest.approx([everything] * 3)
    assert score(same, same) == pytest.approx(2 ** (-12 / (1 + 0.9 / 0.8)))
    assert score(same, far) == pytest.approx(2 ** (-12 / (1 + 0.1 / 0.8)))


def test_models_that_say_the_same_with_every_seed_score_less_than_retrained_models() -> None:
    draw = np.random.default_rng(1)
    retrained, another = draw.normal(size=(2, 8, 500))
    repeated = np.repeat(draw.normal(size=(1, 500)), 8, axis=0)
    nearly = repeated + 1e-4 * draw.normal(size=repeated.shape)
    assert score(repeated, retrained) == pytest.approx(score(nearly, retrained), rel=0.1)
    assert score(repeated, retrained) < 0.6 * score(another, retrained)


def rows(method: str, seeds: int, **values: object) -> list[dict]:
    fields = {"dataset": "cifar10", "model": "resnet18", "task": "random", "forget": "5000"}
    return [
        measured(method, seed, trial_id=f"{method}{seed}", tuned_on="", **{**fields, **values})
        for seed in range(1, seeds + 1)
    ]


def samples(trials: list[dict], shift: dict[str, float], images: int = 300) -> pd.DataFrame:
    """Normal losses around a mean per image, shifted by a constant per method."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=images)
    return pd.DataFrame(
        {key: row[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")} | {"image": i, "loss": loss}
        for row in trials
        for i, loss in enumerate(values + shift[row["method"]] + draw.normal(size=images))
    )


TRIALS = [
    *rows("retrain", 10, retain_train_acc=80.0, test_acc=50.0),
    *rows("finetune", 10, retain_train_acc=88.0, test_acc=45.0),
    *rows("scrub", 10, retain_train_acc=80.0, test_acc=50.0),
    *rows("neggrad", 7, retain_train_acc=80.0, test_acc=50.0),
]
SHIFT = {"retrain": 0.0, "finetune": 3.0, "scrub": 0.0, "neggrad": 0.0}


def test_a_method_like_retraining_scores_1_and_others_less() -> None:
    quality = forgetting_quality(frame(TRIALS), samples(TRIALS, SHIFT)).set_index("method")
    assert quality.index.tolist() == ["retrain", "finetune", "scrub"]  # of neggrad there are too few
    assert quality["n"].tolist() == [10, 10, 10]
    assert quality.loc["retrain", ["f_score", "utility", "total_score"]].tolist() == [1, 1, 1]
    assert quality.loc["scrub", "f_score"] == pytest.approx(1, abs=0.1)
    assert quality.loc["scrub", "f_score"] != 1
    assert quality.loc["finetune", "f_score"] < 0.5
    assert quality.loc["finetune", "utility"] == pytest.approx(88 * 45 / (80 * 50))
    assert quality["total_score"].tolist() == pytest.approx(
        (quality["f_score"] * quality["utility"]).tolist()
    )


def test_halves_are_compared_crosswise() -> None:
    trials = [*rows("retrain", 8), *rows("scrub", 8)]
    table = samples(trials, SHIFT)
    losses = {
        method: table[table["trial_id"].str.startswith(method)]
        .pivot(index="trial_id", columns="image", values="loss")
        .to_numpy()
        for method in ("retrain", "scrub")
    }
    even, odd = slice(0, None, 2), slice(1, None, 2)

    def crosswise(method: str) -> float:
        other = losses["retrain"]
        return score(losses[method][even], other[odd]) + score(losses[method][odd], other[even])

    quality = forgetting_quality(frame(trials), table).set_index("method")["f_score"]
    assert quality["scrub"] == pytest.approx(crosswise("scrub") / crosswise("retrain"))


@pytest.mark.parametrize(("unlearned", "retrained"), [(8, 32), (32, 8), (10, 8)])
def test_the_number_of_models_does_not_decide(unlearned: int, retrained: int) -> None:
    trials = [*rows("retrain", retrained), *rows("scrub", unlearned)]
    quality = forgetting_quality(frame(trials), samples(trials, SHIFT, images=1000)).set_index("method")
    assert quality.loc["scrub", "n"] == 8
    assert quality.loc["scrub", "f_score"] == pytest.approx(1, abs=0.1)


def test_other_images_and_repeated_trials_are_ignored() -> None:
    other, twice = rows("scrub", 8), rows("finetune", 8)
    trials = [*rows("retrain", 8), *other, *twice]
    table = samples(trials, SHIFT)
    moved = table["trial_id"].str.startswith("scrub")
    table.loc[moved, "image"] += 1  # as another seed of the scenario draws them
    double = pd.concat([table, table[table["trial_id"].str.startswith("finetune")]])
    quality = forgetting_quality(frame(trials), double)
    assert quality["method"].tolist() == ["retrain", "finetune"]
    only = table.drop(columns="loss").assign(entropy=table["loss"])
    assert set(entropy_difference(frame(trials), only)["method"]) == {"retrain", "finetune"}
    assert forgetting_quality(frame(trials), only).empty


def test_models_that_forgot_other_draws_are_judged_apart() -> None:
    """Each draw has its images; figures are means over the draws."""
    first = [*rows("retrain", 8, test_acc=50.0), *rows("finetune", 8, test_acc=45.0)]
    second = [
        row | {"draw": 1, "trial_id": f"{row['trial_id']}:1", "test_acc": 50.0, "gap": 3.0} for row in first
    ]
    tables = [samples(first, SHIFT, 50), samples(second, SHIFT | {"finetune": 0.5}, 60)]
    tables[1]["image"] += 1000
    alone = [
        forgetting_quality(frame(r), t).set_index("method")
        for r, t in zip((first, second), tables, strict=True)
    ]
    trials, table = frame([*first, *second]), pd.concat(tables, ignore_index=True)
    quality = forgetting_quality(trials, table).set_index("method")
    for figure in ("f_score", "utility", "total_score"):
        means = [scores.loc["finetune", figure] for scores in alone]
        assert means[0] != means[1]
        assert quality.loc["finetune", figure] == pytest.approx(np.mean(means))
    assert quality["n"].tolist() == [8, 8]
    entropies = entropy_difference(trials, table.assign(entropy=table["loss"].abs())).set_index("method")
    assert entropies["n"].tolist() == [16, 16]
    assert entropies["images"].tolist() == [60, 60]


def test_without_retrained_models_or_samples_the_table_is_empty() -> None:
    only = rows("scrub", 10)
    assert forgetting_quality(frame(only), samples(only, SHIFT)).empty
    assert forgetting_quality(frame(TRIALS), pd.DataFrame()).empty
    few = [*rows("retrain", 7), *only]
    assert forgetting_quality(frame(few), samples(few, SHIFT)).empty


def test_they_stand_beside_the_printed_scores() -> None:
    table = select("akbari-table2")
    quality = cells(frame(TRIALS), table, samples(TRIALS, SHIFT))
    scores = quality[(quality["method"] == "finetune") & quality["metric"].isin(["f_score", "total_score"])]
    assert set(scores["status"]) == {COMPARED}
    assert scores["n"].tolist() == [10, 10]
    expected = forgetting_quality(frame(TRIALS), samples(TRIALS, SHIFT)).set_index("method").loc["finetune"]
    assert scores.set_index("metric")["mean"].to_dict() == {
        "f_score": expected["f_score"], "total_score": expected["total_score"],
    }  # fmt: skip
    assert scores["printed_mean"].tolist() == [0.524, 0.488]
    without = cells(frame(TRIALS), table)
    assert set(without[without["metric"] == "f_score"]["status"]) == {UNMEASURED, "never run"}


def test_entropies_are_compared_model_by_model_and_image_by_image() -> None:
    draw = np.random.default_rng(0)
    trials = [*rows("retrain", 3), *rows("scrub", 3), *rows("finetune", 1), *rows("original", 1)]
    base = draw.gamma(1, 1, (4, 40))
    moved = draw.normal(0.02, 0.1, 40)
    entropies = {("finetune", 1): base[1] + moved, ("original", 1): base[1]}
    entropies |= {("scrub", seed): base[seed] + (0.01, 0.03, 0.02)[seed - 1] for seed in (1, 2, 3)}
    entropies |= {("retrain", seed): base[seed] for seed in (1, 2, 3)}
    table = pd.DataFrame(
        {key: row[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")}
        | {"image": i, "entropy": value}
        for row in trials
        for i, value in enumerate(entropies[row["method"], row["seed"]])
    ).sample(frac=1, random_state=0)
    quality = entropy_difference(frame(trials), table).set_index("method")
    assert quality.index.tolist() == ["original", "retrain", "finetune", "scrub"]
    assert quality["images"].tolist() == [40] * 4
    assert quality["n"].tolist() == [1, 3, 1, 3]
    assert math.isnan(quality.loc["original", "wilcoxon_p"])
    assert quality.loc["original", ["difference", "ks"]].tolist() == [0, 0]
    assert quality.loc["scrub", "difference"] == pytest.approx(0.02)  # the median of the seeds
    pairs = [np.median(base[a] - base[b]) for a, b in ((1, 3), (2, 1), (3, 2))]
    assert quality.loc["retrain", "difference"] == pytest.approx(np.median(pairs))
    # The signed-rank test by its normal approximation
    ranks = np.abs(moved).argsort().argsort() + 1
    positive = ranks[moved > 0].sum()
    z = (positive - 40 * 41 / 4) / math.sqrt(40 * 41 * 81 / 24)
    assert quality.loc["finetune", "wilcoxon_p"] == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), rel=0.05)
    both = base[1] + moved, base[1]
    below = [(np.concatenate(both)[:, None] >= values).mean(axis=1) for values in both]
    assert quality.loc["finetune", "ks"] == pytest.approx(np.abs(below[0] - below[1]).max())


def test_without_retrained_models_entropies_have_nothing_to_differ_from() -> None:
    only = rows("scrub", 2)
    assert entropy_difference(frame(only), samples(only, SHIFT).assign(entropy=1.0)).empty
