"""Originals that are used as they were published, and retrained models that start from published weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import Scenario, prepare, run_trial
from benchmarks.datasets import load
from benchmarks.errors import TrainingError
from benchmarks.models import Published, models
from benchmarks.training import models as trained
from benchmarks.training.loop import History
from benchmarks.training.model_ids import model_id
from benchmarks.training.recipes import Recipe
from benchmarks.weights.checkpoint import Preprocessing

TAKEN = Preprocessing((0.5,), (0.25,))
AS_IS = Recipe(1, batch_size=256, pretrained=True, original="published")
CPU = torch.device("cpu")


@pytest.fixture
def scenario(published: None) -> Scenario:
    return Scenario("digits", "published", "full_class", "8")


def weights() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(77)
        return models.get("cnn2").build(10, 1, 8).state_dict()


def body(network: nn.Module) -> None:
    head = list(network.state_dict())[-2:]
    network.load_state_dict({k: v for k, v in weights().items() if k not in head}, strict=False)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The network `published`: a cnn2 with weights of somebody's."""
    load("digits")
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    whole = Published(lambda network: network.load_state_dict(weights()), lambda: TAKEN)
    models.add(replace(models.get("cnn2"), name="published", load_pretrained=body, published=whole))
    yield
    models.remove("published")


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """What every training starts from; none takes a step."""
    seen: list[dict[str, torch.Tensor]] = []

    def fake(model, *rest, **more) -> History:
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        return History(1, 50.0, 0.0)

    monkeypatch.setattr(trained, "train", fake)
    monkeypatch.setattr("benchmarks.training.loop.train", fake)
    return seen


def is_body(state: dict[str, torch.Tensor]) -> bool:
    """Whether all but the last layer is as published."""
    same = [
        torch.equal(value, theirs) for value, theirs in zip(state.values(), weights().values(), strict=True)
    ]
    return same == [True] * (len(same) - 2) + [False] * 2


def test_the_original_is_as_published_and_the_retrained_model_starts_from_it(
    scenario: Scenario, starts: list[dict[str, torch.Tensor]]
) -> None:
    ready = prepare(scenario, recipe=AS_IS)
    for name, value in ready.original.state_dict().items():
        assert torch.equal(value, weights()[name])
    assert len(starts) == 1, "the retrained model alone is trained"
    assert is_body(starts[0])
    assert ready.packed.retrained_from == "pretrained"
    assert ready.packed.preprocessing == TAKEN
    images = ready.splits["retain_test"]
    network = models.get("published").build(10, 1, 8)
    network.load_state_dict(weights())
    pixels = torch.from_numpy(load("digits").test.x[images.index.numpy()]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = network.eval()((pixels - 0.5) / 0.25)
    assert ready.packed.original_logits["retain_test"] == pytest.approx(expected.numpy(), abs=1e-4)


def test_the_method_retrain_starts_as_the_retrained_model_does(
    scenario: Scenario, starts: list[dict[str, torch.Tensor]]
) -> None:
    ready = prepare(scenario, recipe=AS_IS)
    assert run_trial(ready, "retrain", seed=3).state == "complete"
    assert is_body(starts[1])
    assert not torch.equal(list(starts[1].values())[-1], list(starts[0].values())[-1]), "another last layer"
    fresh = prepare(scenario, recipe=replace(AS_IS, original="trained", pretrained=False))
    assert fresh.packed.retrained_from == "fresh"
    assert run_trial(fresh, "retrain", seed=3).state == "complete"
    assert not is_body(starts[-1])


def test_a_published_original_has_another_id_and_its_retrained_model_has_not(
    scenario: Scenario, starts: list[dict[str, torch.Tensor]]
) -> None:
    tuned = replace(AS_IS, original="trained")
    assert "original" not in tuned.identity, (
        "models that were trained before there was a choice keep their names"
    )
    names = {role: [model_id(role, scenario, how) for how in (AS_IS, tuned)] for role in trained.TRAINED}
    assert names["original"][0] != names["original"][1]
    assert names["retrained"][0] == model_id("retrained", scenario, tuned, TAKEN)
    assert trained.original_model(scenario, AS_IS, CPU, print).id == names["original"][0]
    assert trained.retrained_model(scenario, AS_IS, CPU, print).id == names["retrained"][0]


def test_a_model_that_nobody_published_or_recorded_is_reported(
    scenario: Scenario, starts: list[dict[str, torch.Tensor]]
) -> None:
    with pytest.raises(TrainingError, match="its training was not recorded; leave out"):
        prepare(scenario, recipe=AS_IS, record=True)
    plain = Scenario("digits", "cnn2", "full_class", "8")
    with pytest.raises(TrainingError, match="'cnn2' has no published weights; set 'original: trained'"):
        prepare(plain, recipe=AS_IS)
