"""A trained model of one's own in place of the original one."""

import pytest
import torch

from benchmarks import Scenario, trained
from benchmarks.errors import DataError, TrainingError
from benchmarks.evaluation import predict
from benchmarks.prepared import prepare
from benchmarks.trained import build_network, own_model

SCENARIO = Scenario("digits", "cnn2", "full_class", "8")


@pytest.fixture
def file(tmp_path, digits):
    path = tmp_path / "mine.pt"
    weights = {name: value + 0.01 for name, value in digits.original.state_dict().items()}
    torch.save(weights, path)
    return path


def test_it_is_the_original_model_and_the_retrained_one_is_trained_here(file, digits, short):
    own = own_model(SCENARIO, file)
    ready = prepare(SCENARIO, recipe=short, original=own)
    for name, value in torch.load(file, weights_only=True).items():
        assert torch.equal(ready.original.state_dict()[name], value)
    assert ready.original_id == own.id
    assert own.id.startswith("own-")
    assert ready.targets("test") == pytest.approx(digits.targets("test"), abs=1e-9)


def test_its_accuracy_is_that_of_all_test_images(file, digits):
    network = build_network(SCENARIO, 0)
    network.load_state_dict(torch.load(file, weights_only=True))
    network.eval()
    right = sum(
        int(predict(network, digits.splits[f"{part}_test"]).correct.sum()) for part in ("retain", "forget")
    )
    assert trained.test_accuracy(SCENARIO, own_model(SCENARIO, file), torch.device("cpu")) == pytest.approx(
        right / 3.6
    )


def test_weights_that_do_not_fit_are_told_with_their_file(file):
    with pytest.raises(DataError, match=r"mine.pt: .*(7|10)"):
        own_model(Scenario("digits", "cnn2", "sub_class", "8"), file)


def test_no_steps_of_its_training_can_be_had(file):
    with pytest.raises(TrainingError, match="nothing was recorded when own-"):
        prepare(SCENARIO, original=own_model(SCENARIO, file), record=True)
