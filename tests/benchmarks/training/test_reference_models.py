"""Several retrained models: targets are their means, each is compared with the others, all are cached."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.errors import TrainingError
from benchmarks.evaluation import Evaluation, Predictions, References
from benchmarks.metrics import Metric, measure, metrics
from benchmarks.metrics.gap import PARTS
from benchmarks.metrics.targets import targets
from benchmarks.models import models
from benchmarks.scenarios.scenario import Scenario
from benchmarks.training.model_ids import model_id
from benchmarks.training.recipes import Recipe, over, published_recipe
from benchmarks.training.reference_models import automatic, training_seed
from benchmarks.trial.cached_scenarios import cached_scenario
from benchmarks.trial.prepared import Prepared, prepare
from benchmarks.trial.run import run_trial

SCENARIO = Scenario("digits", "cnn2", "full_class", "8")
RECIPE = Recipe(epochs=1)


@pytest.fixture(scope="module")
def three() -> Prepared:
    return prepare(SCENARIO, recipe=RECIPE, eval_limit=100, references=3)


def predictions(right: int, count: int) -> Predictions:
    """Surely right about the first images and surely wrong about the rest, of two classes."""
    labels = np.zeros(count, np.int64)
    logits = np.zeros((count, 2), np.float32)
    logits[:right, 0] = 5
    logits[right:, 1] = 5
    return Predictions(logits, labels)


def evaluation(right: int, forgotten: int = 0) -> Evaluation:
    parts = predictions(right, 10), predictions(forgotten, 10)
    return Evaluation("test", "full_class", parts[0], parts[1], parts[0], parts[1])


def test_targets_are_means_with_their_deviation() -> None:
    models = [evaluation(9), evaluation(8), evaluation(4)]
    references = References(evaluation(10, 10), models[0], others=tuple(models[1:]))
    aims = targets(references, ["retain_acc", "gap", "retain_drop"])
    assert aims["retain_acc"] == pytest.approx(70)
    assert aims["retain_acc_std"] == pytest.approx(math.sqrt((20**2 + 10**2 + 30**2) / 2))
    assert aims["retain_drop"] == pytest.approx(30)
    assert "gap_std" not in aims
    # Of 90, 80 and 40 each one is 30, 15 and 45 away from the mean of the other two
    assert aims["gap"] == pytest.approx((30 + 15 + 45) / 3 / 3)


def test_the_gap_is_to_the_mean_and_not_the_mean_of_gaps() -> None:
    references = References(evaluation(10, 10), evaluation(9), others=(evaluation(7),))
    assert measure(evaluation(8), references, ["gap"])["gap"] == pytest.approx(0)
    assert measure(evaluation(9), references, ["gap"])["gap"] == pytest.approx(10 / 3)


def test_a_single_model_is_unchanged() -> None:
    references = References(evaluation(10, 10), evaluation(9))
    assert targets(references, ["retain_acc", "gap"]) == {"retain_acc": pytest.approx(90), "gap": 0}
    assert math.isnan(measure(evaluation(8), references, ["gap_in_spreads"])["gap_in_spreads"])


def test_the_gap_in_spreads_has_a_floor_of_a_single_image() -> None:
    apart = References(evaluation(10, 10), evaluation(9), others=(evaluation(7),))
    # 80 +- sqrt(200) of retain accuracy; the others agree, and one image of ten is 10 points
    value = measure(evaluation(6, 3), apart, ["gap_in_spreads"])["gap_in_spreads"]
    assert value == pytest.approx((20 / math.sqrt(200) + 30 / 10 + 0) / 3)
    agreeing = References(evaluation(10, 10), evaluation(9), others=(evaluation(9),))
    assert measure(evaluation(8), agreeing, ["gap_in_spreads"])["gap_in_spreads"] == pytest.approx(1 / 3)


def test_no_retrained_model_is_compared_with_itself() -> None:
    models = [evaluation(right) for right in (9, 8, 7)]
    seen: list[tuple[Evaluation, tuple[Evaluation, ...]]] = []

    def compute(e: Evaluation, references: References) -> float:
        seen.append((e, references.retrained_all))
        return 1.0

    metrics.add(Metric("watched", "s", "s", "%", compute, measured="named"))
    try:
        targets(References(evaluation(10), models[0], others=tuple(models[1:])), ["watched"])
    finally:
        metrics.remove("watched")
    assert [e for e, _ in seen] == models
    assert all(e not in others and len(others) == 2 for e, others in seen)


def test_further_models_have_other_seeds(three: Prepared) -> None:
    ids = [model_id("retrained", SCENARIO, RECIPE, reference=i) for i in range(3)]
    assert len(set(ids)) == 3
    assert ids[0] == model_id("retrained", SCENARIO, RECIPE)
    logits = [parts["retain_test"] for parts in three.packed.retrained_logits]
    assert not np.array_equal(logits[0], logits[1])
    assert not np.array_equal(logits[1], logits[2])
    seeds = [training_seed(seed, i) for seed in range(200) for i in range(5)]
    assert len({seed % 2**32 for seed in seeds}) == 1000  # a CPU's generator takes no more bits of a seed


def test_the_first_ones_are_shared_with_scenarios_of_fewer(
    three: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.training.models.train", None)  # everything is in the cache
    for count in (1, 2):
        fewer = prepare(SCENARIO, recipe=RECIPE, eval_limit=100, references=count).packed
        assert len(fewer.retrained_logits) == count
        for mine, other in zip(fewer.retrained_logits, three.packed.retrained_logits, strict=False):
            assert all(np.array_equal(mine[split], other[split]) for split in other)


def test_from_the_cache_they_are_the_same_bit_for_bit(three: Prepared) -> None:
    options = {"device": "cpu", "threads": torch.get_num_threads()}
    cached = cached_scenario(SCENARIO, RECIPE, 100, references=3, **options)  # type: ignore[arg-type]
    assert cached is not None
    assert len(cached.packed.retrained_logits) == 3
    for mine, other in zip(cached.packed.retrained_logits, three.packed.retrained_logits, strict=True):
        assert all(np.array_equal(mine[split], other[split]) for split in other)
    again = Prepared.unpack(cached.packed, three.data)
    assert again.targets("test") == pytest.approx(three.targets("test"), nan_ok=True, abs=0)


def test_a_trial_has_them_as_targets(three: Prepared) -> None:
    result = run_trial(three, "original", metrics=["retain_acc", "forget_acc", "mia", "gap"])
    models = three.references("test").retrained_all
    for part in PARTS:
        name = part.__name__
        assert result.targets[name] == np.mean([part(model) for model in models])
        assert result.targets[f"{name}_std"] == np.std([part(model) for model in models], ddof=1)
    distances = [abs(result.metrics[p.__name__] - result.targets[p.__name__]) for p in PARTS]
    assert result.metrics["gap"] == pytest.approx(np.mean(distances))


def test_metrics_that_need_a_retrained_model_are_missing_without_it() -> None:
    none = prepare(SCENARIO, recipe=RECIPE, eval_limit=100, references=0)
    names = ["gap", "gap_in_spreads", "js_forget", "retain_acc", "forget_excess", "retain_drop"]
    result = run_trial(none, "original", metrics=names)
    assert result.state == "complete", result.error
    assert [name for name in names if math.isnan(result.metrics[name])] == names[:3]
    assert all(math.isnan(result.targets[name]) for name in names)
    assert result.metrics["retain_drop"] == 0
    assert "nan" in repr(none)


def test_metrics_that_compare_are_those_that_are_missing_without_one(three: Prepared) -> None:
    none = prepare(SCENARIO, recipe=RECIPE, eval_limit=100, references=0)
    names = [metric.name for metric in metrics if not metric.needs_models]
    known, left = (run_trial(ready, "original", metrics=names).metrics for ready in (three, none))
    missing = {name for name in names if math.isnan(left[name]) and not math.isnan(known[name])}
    assert missing == {name for name in names if metrics.get(name).compares}


def test_a_user_defined_retrained_model_is_a_reference(three: Prepared) -> None:
    from benchmarks.training.models import original_model, retrained_model

    cpu = torch.device("cpu")
    original = original_model(SCENARIO, RECIPE, cpu, print)
    mine = retrained_model(SCENARIO, RECIPE, cpu, print)
    with pytest.raises(TrainingError, match="single retrained model, not 2"):
        prepare(SCENARIO, recipe=RECIPE, original=original, retrained=mine, references=2)


def test_automatic_goes_by_the_recipe() -> None:
    def of(dataset: str, model: str) -> int:
        return automatic(dataset, model, published_recipe(model, dataset))

    assert of("digits", "cnn2") == 3
    assert of("mnist", "lenet") == 3
    assert of("mnist", "cnn2") == of("cifar10", "resnet18") == of("digits", "allcnn") == 1
    assert automatic("digits", "cnn2", over(published_recipe("cnn2", "digits"), 10_000)) == 1


@pytest.mark.parametrize("name", ["cnn2", "lenet"])
def test_the_work_of_small_networks_is_as_counted(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network = models.get(name)
    assert network.work_per_pixel is not None
    for side in (28, 32):
        with FlopCounterMode(display=False) as counted, torch.no_grad():
            network.build(10, 1, side).eval()(torch.zeros(1, 1, side, side))
        each = counted.get_total_flops() / 2 / side**2
        assert each / 2 < network.work_per_pixel < 2 * each
