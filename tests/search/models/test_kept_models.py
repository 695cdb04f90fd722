"""The export of a plan's original and retrained models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import prepare
from benchmarks.training.networks import build_network
from benchmarks.weights.files import read_weights
from search.models.kept_models import write_models
from search.plans.files import parse

TEXT = """
name: kept
dataset: digits
references: 1
model: cnn2
task: full_class
methods: [jit]
training: {epochs: 2, batch_size: 128}
search: {forget: ["3", "8"], trials: 3}
"""


def test_each_model_has_a_file_and_a_card(tmp_path: Path) -> None:
    plan = parse(TEXT)[0]
    ready = [prepare(s, recipe=plan.recipe(), keep_retrained=True) for s in plan.scenarios()]
    files = write_models(plan, plan.scenarios(), tmp_path / "new")
    assert [file.name.rpartition("-")[0] for file in files] == [
        "digits-cnn2-original",
        "digits-cnn2-without-full_class-3",
        "digits-cnn2-without-full_class-8",
    ]
    original, _, without_8 = map(read_weights, files)
    assert all(torch.equal(ready[0].original.state_dict()[name], value) for name, value in original.items())
    assert len(ready[1].packed.retrained) == 1
    for name, value in without_8.items():
        assert value.tolist() == pytest.approx(ready[1].packed.retrained[0][name])
    cards = [json.loads(file.with_suffix(".json").read_text()) for file in files]
    assert [card["model"] for card in cards] == ["original", "retrained", "retrained"]
    assert (cards[1]["forget"], "forget" in cards[0]) == ("3", False)
    assert cards[0]["trained"]["test_acc"] > 20
    assert cards[2]["recipe"]["epochs"] == 2


def test_a_retrained_model_has_the_names_of_the_checkpoint(tmp_path: Path) -> None:
    network = build_network(parse(TEXT)[0].searched()[0], 0)
    theirs = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save(theirs, tmp_path / "mine.pt")
    plan = parse(f"{TEXT}checkpoint: {tmp_path}/mine.pt\n")[0]
    files = write_models(plan, plan.scenarios()[:1], tmp_path)
    assert len(files) == 1  # the user's model is not written
    assert read_weights(files[0]).keys() == theirs.keys()
