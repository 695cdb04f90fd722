"""The F-score against the published definition, written out here threshold by threshold."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.breakdown import entropies
from analysis.compare import COMPARED, UNMEASURED, cells
from analysis.forgetting import entropy_difference, epsilon, forgetting_quality, score
from analysis.published import select
from tests.analysis.conftest import PARTITIONS, frame, measured

DELTA = 0.1


def by_hand(unlearned: list[float], retrained: list[float]) -> float:
    """Equation 2 of one image: every threshold, both ways round."""
    found = []
    for threshold in (*unlearned, *retrained):
        below = [sum(x <= threshold for x in xs) / len(xs) for xs in (unlearned, retrained)]
        for fnr, fpr in ((1 - below[0], below[1]), (below[0], 1 - below[1])):
            if fnr == fpr == 0:
                return math.inf
            if fnr == 0 or fpr == 0:
                continue
            for a, b in ((fpr, fnr), (fnr, fpr)):
                if 1 - DELTA - a > 0:
                    found.append(math.log(1 - DELTA - a) - math.log(b))
    return max(found, default=-math.inf)


@pytest.mark.parametrize("models", [(5, 5), (8, 3), (1, 4)])
def test_epsilon_against_every_threshold_by_hand(models: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    images = 200
    unlearned = draw.gamma(2, 1, (models[0], images)).round(1)  # rounded: some losses are equal
    retrained = draw.gamma(2, draw.uniform(0.3, 4, images), (models[1], images)).round(1)
    expected = [by_hand(list(u), list(r)) for u, r in zip(unlearned.T, retrained.T, strict=True)]
    assert epsilon(unlearned, retrained) == pytest.approx(expected)
    assert len(set(expected)) > 3 or models == (1, 4)


def test_the_scale_of_the_score() -> None:
    same, far = np.zeros((4, 3)), np.ones((4, 3))
    assert epsilon(same, same).tolist() == [-math.inf] * 3
    assert score(same, same) == 1
    assert score(same, far) == pytest.approx(2**-12)
    half = np.array([[0.0], [1.0]])  # every useful threshold is wrong about a half of both
    assert epsilon(half, half[::-1]) == pytest.approx([math.log(0.4) - math.log(0.5)])
    assert score(half, half) == pytest.approx(2 ** (-12 / (1 + 0.5 / 0.4)))


def rows(method: str, seeds: int, **values: object) -> list[dict]:
    place = {"dataset": "cifar10", "model": "resnet18", "task": "random", "forget": "5000"}
    return [
        measured(method, seed, trial_id=f"{method}{seed}", tuned_on="", **{**place, **values})
        for seed in range(1, seeds + 1)
    ]


def samples(trials: list[dict], shift: dict[str, float], images: int = 300) -> pd.DataFrame:
    """Normal losses around each image's own, moved by so much for a method."""
    draw = np.random.default_rng(0)
    own = draw.normal(size=images)
    return pd.DataFrame(
        {key: row[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")} | {"image": i, "loss": loss}
        for row in trials
        for i, loss in enumerate(own + shift[row["method"]] + draw.normal(size=images))
    )


TRIALS = [
    *rows("retrain", 10, retain_train_acc=80.0, test_acc=50.0),
    *rows("finetune", 10, retain_train_acc=88.0, test_acc=45.0),
    *rows("scrub", 10, retain_train_acc=80.0, test_acc=50.0),
    *rows("neggrad", 7, retain_train_acc=80.0, test_acc=50.0),
]
SHIFT = {"retrain": 0.0, "finetune": 3.0, "scrub": 0.0, "neggrad": 0.0}


def test_a_method_like_retraining_scores_1_and_others_less() -> None:
    found = forgetting_quality(frame(TRIALS), samples(TRIALS, SHIFT)).set_index("method")
    assert found.index.tolist() == ["retrain", "finetune", "scrub"]  # of neggrad there are too few
    assert found["n"].tolist() == [10, 10, 10]
    assert found.loc["retrain", ["f_score", "utility", "total_score"]].tolist() == [1, 1, 1]
    assert found.loc["scrub", "f_score"] == pytest.approx(1, abs=0.1)
    assert found.loc["finetune", "f_score"] < 0.5
    assert found.loc["finetune", "utility"] == pytest.approx(88 * 45 / (80 * 50))
    assert found["total_score"].tolist() == pytest.approx((found["f_score"] * found["utility"]).tolist())


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

    found = forgetting_quality(frame(trials), table).set_index("method")["f_score"]
    assert found["scrub"] == pytest.approx(crosswise("scrub") / crosswise("retrain"))


def test_without_retrained_models_or_samples_there_is_none() -> None:
    only = rows("scrub", 10)
    assert forgetting_quality(frame(only), samples(only, SHIFT)).empty
    assert forgetting_quality(frame(TRIALS), pd.DataFrame()).empty
    few = [*rows("retrain", 7), *only]
    assert forgetting_quality(frame(few), samples(few, SHIFT)).empty


def test_they_stand_beside_the_printed_scores() -> None:
    table = select("akbari-table2")
    found = cells(frame(TRIALS), table, samples(TRIALS, SHIFT))
    own = found[(found["method"] == "finetune") & found["metric"].isin(["f_score", "total_score"])]
    assert set(own["status"]) == {COMPARED}
    assert own["n"].tolist() == [10, 10]
    expected = forgetting_quality(frame(TRIALS), samples(TRIALS, SHIFT)).set_index("method").loc["finetune"]
    assert own.set_index("metric")["mean"].to_dict() == {
        "f_score": expected["f_score"], "total_score": expected["total_score"],
    }  # fmt: skip
    assert own["printed_mean"].tolist() == [0.524, 0.488]
    without = cells(frame(TRIALS), table)
    assert set(without[without["metric"] == "f_score"]["status"]) == {UNMEASURED, "never run"}


def test_entropies_are_compared_image_by_image() -> None:
    draw = np.random.default_rng(0)
    trials = [*rows("retrain", 2), *rows("scrub", 2), *rows("finetune", 1), *rows("original", 1)]
    base = draw.gamma(1, 1, 40)
    noise = {("scrub", 1): draw.normal(0, 0.1, 40), ("finetune", 1): draw.normal(0.02, 0.1, 40)}
    noise[("scrub", 2)] = -noise[("scrub", 1)] + 0.02
    table = pd.DataFrame(
        {key: row[key] for key in (*PARTITIONS, "run_id", "trial_id", "forget")}
        | {"image": i, "entropy": value}
        for row in trials
        for i, value in enumerate(base + noise.get((row["method"], row["seed"]), 0))
    ).sample(frac=1, random_state=0)
    found = entropy_difference(entropies(frame(trials), table)).set_index("method")
    assert found.index.tolist() == ["original", "finetune", "scrub"]
    assert found["images"].tolist() == [40, 40, 40]
    assert math.isnan(found.loc["original", "wilcoxon_p"])
    assert found.loc["original", ["difference", "ks"]].tolist() == [0, 0]
    assert found.loc["scrub", "difference"] == pytest.approx(0.01)  # the mean of both seeds
    moved = noise[("finetune", 1)]
    assert found.loc["finetune", "difference"] == pytest.approx(np.median(moved))
    # The signed-rank test by its normal approximation
    ranks = np.abs(moved).argsort().argsort() + 1
    positive = ranks[moved > 0].sum()
    z = (positive - 40 * 41 / 4) / math.sqrt(40 * 41 * 81 / 24)
    assert found.loc["finetune", "wilcoxon_p"] == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), rel=0.05)
    both = base + moved, base
    below = [(np.concatenate(both)[:, None] >= values).mean(axis=1) for values in both]
    assert found.loc["finetune", "ks"] == pytest.approx(np.abs(below[0] - below[1]).max())


def test_without_retrained_models_entropies_have_nothing_to_differ_from() -> None:
    only = rows("scrub", 2)
    table = samples(only, SHIFT).assign(entropy=1.0)
    assert entropy_difference(entropies(frame(only), table)).empty
