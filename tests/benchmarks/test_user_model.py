"""A user-defined trained model in place of the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import Scenario
from benchmarks.errors import DataError, TrainingError
from benchmarks.evaluation import predict
from benchmarks.metrics.accuracy import retain_acc
from benchmarks.training import models as trained
from benchmarks.training.model_ids import model_id
from benchmarks.training.models import user_model
from benchmarks.training.networks import build_network
from benchmarks.training.recipes import Recipe
from benchmarks.trial.prepared import Prepared, prepare
from benchmarks.trial.run import run_trial
from benchmarks.weights.checkpoint import Checkpoint, Preprocessing

SCENARIO = Scenario("digits", "cnn2", "full_class", "8")
CPU = torch.device("cpu")


@pytest.fixture
def file(tmp_path: Path, digits: Prepared):
    path = tmp_path / "mine.pt"
    weights = {name: value + 0.01 for name, value in digits.original.state_dict().items()}
    torch.save(weights, path)
    return path


def test_it_is_the_original_model_and_the_retrained_model_is_trained(
    file, digits: Prepared, short: Recipe
) -> None:
    model = user_model(SCENARIO, Checkpoint(file))
    ready = prepare(SCENARIO, recipe=short, original=model)
    for name, value in torch.load(file, weights_only=True).items():
        assert torch.equal(ready.original.state_dict()[name], value)
    assert ready.original_id == model.id
    assert model.id.startswith("own-")
    targets, expected = ready.targets("test"), digits.targets("test")
    drop = targets.pop("retain_drop") - expected.pop("retain_drop")  # against the original, which is another
    originals = [retain_acc(r.references("test").original) for r in (ready, digits)]
    assert drop == pytest.approx(originals[0] - originals[1])
    assert targets == pytest.approx(expected, abs=1e-9)


def test_its_accuracy_is_that_of_all_test_images(file, digits: Prepared) -> None:
    network = build_network(SCENARIO, 0)
    network.load_state_dict(torch.load(file, weights_only=True))
    network.eval()
    right = sum(
        int(predict(network, digits.splits[f"{part}_test"]).correct.sum()) for part in ("retain", "forget")
    )
    predictions = trained.test_predictions("original", SCENARIO, user_model(SCENARIO, Checkpoint(file)), CPU)
    assert (len(predictions), int(predictions.correct.sum())) == (360, right)


def test_weights_that_do_not_fit_are_reported_with_their_file(file) -> None:
    with pytest.raises(DataError, match=r"mine.pt: .*(7|10)"):
        user_model(Scenario("digits", "cnn2", "sub_class", "8"), Checkpoint(file))


def test_no_steps_of_its_training_can_be_had(file) -> None:
    with pytest.raises(TrainingError, match=r"the training of own-.* was not recorded"):
        prepare(SCENARIO, original=user_model(SCENARIO, Checkpoint(file)), record=True)


@pytest.fixture
def on_raw_pixels(tmp_path: Path, digits: Prepared):
    """The digits model as another script has it, which feeds pixels from 0 to 1."""
    weights, usual = dict(digits.original.state_dict()), digits.data.source.preprocessing
    weights["0.weight"] = weights["0.weight"] / usual.std[0]
    weights["0.bias"] = weights["0.bias"] - usual.mean[0] * weights["0.weight"].sum((1, 2, 3))
    torch.save(weights, tmp_path / "raw.pt")
    return tmp_path / "raw.pt"


def test_its_preprocessing_is_used_for_all_images(on_raw_pixels, short: Recipe) -> None:
    taken = Preprocessing.of(scale=1)
    model = user_model(SCENARIO, Checkpoint(on_raw_pixels, preprocessing=taken))
    ready = prepare(SCENARIO, recipe=short, original=model)
    x, _ = next(ready.splits["retain_train"].batches(64))
    assert (float(x.min()), float(x.max())) == (0, 1)
    assert 100 * trained.test_predictions("original", SCENARIO, model, CPU).correct.mean() > 90
    unpacked = Prepared.unpack(ready.packed, ready.data)  # as in a worker
    assert torch.equal(next(unpacked.splits["retain_train"].batches(64))[0], x)
    assert predict(unpacked.original, unpacked.splits["retain_test"]).correct.mean() > 0.9
    assert ready.targets("test")["retain_acc"] > 50  # the retrained model learned from the same pixels
    result = run_trial(unpacked, "finetune", {"lr": 1e-6, "epochs": 1}, seed=1, held_out="test")
    assert result.metrics["retain_acc"] > 90


def test_a_retrained_model_is_cached_under_its_preprocessing(digits: Prepared, short: Recipe) -> None:
    names = {
        model_id("retrained", SCENARIO, short, taken)
        for taken in (None, Preprocessing.of(scale=1), Preprocessing.of(scale=255))
    }
    assert len(names) == 3
    assert model_id("retrained", SCENARIO, short) in names


def test_a_user_defined_retrained_model_gives_the_targets(
    file, tmp_path: Path, digits: Prepared, short: Recipe
) -> None:
    path = tmp_path / "without.pt"
    torch.save({n: v + 0.02 for n, v in digits.original.state_dict().items()}, path)
    original, retrained = (user_model(SCENARIO, Checkpoint(p)) for p in (file, path))
    ready = prepare(SCENARIO, recipe=short, original=original, retrained=retrained, keep_retrained=True)
    assert ready.packed.retrained_from == "checkpoint"
    assert all(np.array_equal(ready.packed.retrained[0][n], v) for n, v in retrained.state.items())
    predictions = trained.test_predictions("retrained", SCENARIO, retrained, CPU)
    assert ready.targets("test")["retain_acc"] == pytest.approx(100 * predictions.correct.mean())


def test_two_models_that_take_pixels_in_two_ways_are_not_compared(file, short: Recipe) -> None:
    other = user_model(SCENARIO, Checkpoint(file, preprocessing=Preprocessing.of(scale=1)))
    with pytest.raises(TrainingError, match="have different preprocessing"):
        prepare(SCENARIO, recipe=short, original=user_model(SCENARIO, Checkpoint(file)), retrained=other)


def test_changes_to_the_weights_are_reported_in_a_single_line(digits: Prepared, tmp_path: Path) -> None:
    weights = {f"module.{n}": v.bfloat16() for n, v in digits.original.state_dict().items()}
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "mine.pt")
    lines = []
    model = user_model(SCENARIO, Checkpoint(tmp_path / "mine.pt"), lines.append)
    assert lines == [
        f"{tmp_path / 'mine.pt'}: took the weights under 'state_dict'; took 'module.' off every name; "
        "read bfloat16 as float32"
    ]
    assert {value.dtype for value in model.state.values()} == {torch.float32}


@pytest.mark.parametrize("hole", [float("nan"), float("inf")])
def test_weights_that_make_every_output_nan_are_refused(digits: Prepared, tmp_path: Path, hole) -> None:
    weights = {n: v.clone() for n, v in digits.original.state_dict().items()}
    weights["0.weight"][0] = hole
    torch.save(weights, tmp_path / "mine.pt")
    lines = []
    with pytest.raises(DataError) as caught:
        user_model(SCENARIO, Checkpoint(tmp_path / "mine.pt"), lines.append)
    assert str(caught.value) == (
        f"{tmp_path / 'mine.pt'}: the model's outputs are not finite: 1 of {len(weights)} tensors contain "
        "NaN or infinite values (0.weight); take another checkpoint"
    )


def test_nan_in_weights_that_are_not_used_is_reported(digits: Prepared, tmp_path: Path) -> None:
    weights = {n: v.clone() for n, v in digits.original.state_dict().items()}
    weights["0.bias"][0] = -float("inf")  # behind a ReLU
    torch.save(weights, tmp_path / "mine.pt")
    lines = []
    user_model(SCENARIO, Checkpoint(tmp_path / "mine.pt"), lines.append)
    assert lines == [
        f"warning: {tmp_path / 'mine.pt'}: 1 of {len(weights)} tensors contain NaN or infinite values "
        "(0.bias)"
    ]


def test_a_recipe_that_diverges_on_other_pixels_says_what_helps(file) -> None:
    model = user_model(SCENARIO, Checkpoint(file, preprocessing=Preprocessing.of(std=1e-4)))
    with pytest.raises(TrainingError, match=r"diverged.*recipes assume normalised pixels.*'training.max_lr'"):
        prepare(SCENARIO, recipe=Recipe(epochs=1), original=model)
