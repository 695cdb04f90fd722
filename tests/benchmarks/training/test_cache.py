"""The model cache: one training per identity, complete files or none, problems reported."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from torch import nn

from benchmarks import Scenario
from benchmarks.errors import CacheError
from benchmarks.models import models
from benchmarks.training import cache
from benchmarks.training import models as trained
from benchmarks.training.cache import get_or_train, model_folder
from benchmarks.training.loop import History
from benchmarks.training.model_ids import model_id
from benchmarks.training.recipes import Recipe
from benchmarks.training.reproducible import seeded


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    return tmp_path / "models"


def made(value=1.0):
    return {"w": torch.full((2, 2), value)}, {"test_acc": 50.0}


def never():
    pytest.fail("trained although it is in the cache")


def only(folder: Path, suffix: str) -> Path:
    (file,) = folder.glob(f"*.{suffix}")
    return file


def test_what_was_stored_comes_back(home) -> None:
    first = get_or_train("digits-x", {"seed": 0}, made)
    again = get_or_train("digits-x", {"seed": 0}, never)
    assert again.id == first.id
    assert again.id.startswith("digits-x-")
    assert torch.equal(again.state["w"], first.state["w"])
    assert again.report == {"test_acc": 50.0}
    assert model_folder() == home
    description = json.loads(only(home, "json").read_text())
    assert description["identity"] == {"seed": 0}


def _ask(folder: str, barrier, lines) -> None:
    os.environ["UNLEARN_DATA"] = folder

    def slow():
        lines.put("trained")
        time.sleep(0.5)
        return made(float(os.getpid()))

    barrier.wait()
    lines.put(float(get_or_train("x", {}, slow).state["w"][0, 0]))


def test_processes_that_ask_at_once_train_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, lines = context.Barrier(2), context.Queue()
    workers = [context.Process(target=_ask, args=(str(tmp_path), barrier, lines)) for _ in range(2)]
    for worker in workers:
        worker.start()
    results = [lines.get(timeout=60) for _ in range(3)]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert results.count("trained") == 1
    assert len({value for value in results if value != "trained"}) == 1


def test_changed_weights_are_reported_with_the_file_to_delete(home) -> None:
    get_or_train("x", {}, made)
    weights = only(home, "safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(CacheError, match=r"does not match its checksum; delete .*\.json and it is trained"):
        get_or_train("x", {}, never)
    only(home, "json").unlink()
    get_or_train("x", {}, made)
    get_or_train("x", {}, never)


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\xff" * 64])
def test_weights_that_are_not_safetensors_are_reported_despite_a_right_checksum(home, content) -> None:
    get_or_train("digits-x", {}, made)
    only(home, "safetensors").write_bytes(content)
    description = json.loads(only(home, "json").read_text())
    description["sha256"] = hashlib.sha256(content).hexdigest()
    only(home, "json").write_text(json.dumps(description))
    with pytest.raises(
        CacheError, match=r"cannot be read \(.*delete .*json and it is trained again"
    ) as caught:
        get_or_train("digits-x", {}, never)
    assert "\n" not in str(caught.value)


def test_tied_weights_are_stored_and_come_back_tied() -> None:
    def network():
        layer = nn.Linear(2, 2)
        return nn.Sequential(layer, nn.ReLU(), layer)

    first, again = network(), network()
    get_or_train("tied", {}, lambda: (first.state_dict(), {}))
    stored = get_or_train("tied", {}, never).state
    again.load_state_dict(stored)
    assert torch.equal(again[2].weight, first[0].weight)
    assert again[2].weight is again[0].weight


def test_a_view_of_a_larger_tensor_is_stored_alone(home) -> None:
    whole = torch.arange(1000.0)
    get_or_train("views", {}, lambda: ({"a": whole[:2], "b": whole[:3]}, {}))
    assert only(home, "safetensors").stat().st_size < 500
    assert get_or_train("views", {}, never).state["b"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("text", ["{", "[]", "{}", "null", "\xff"])
def test_a_corrupt_description_is_reported(home, text: str) -> None:
    get_or_train("x", {}, made)
    only(home, "json").write_text(text)
    with pytest.raises(CacheError, match=r"cannot be read .*; delete .*\.json and it is trained again"):
        get_or_train("x", {}, never)


def test_deleted_weights_are_reported(home) -> None:
    get_or_train("x", {}, made)
    only(home, "safetensors").unlink()
    with pytest.raises(CacheError, match="delete"):
        get_or_train("x", {}, never)


def test_a_process_killed_between_the_two_files_leaves_nothing_half(home) -> None:
    context = multiprocessing.get_context("fork")

    def killed():
        write = cache.replace_file

        def dies(path, content):
            if path.suffix == ".json":
                os._exit(9)
            write(path, content)

        cache.replace_file = dies
        get_or_train("x", {}, made)

    worker = context.Process(target=killed)
    worker.start()
    worker.join(60)
    assert worker.exitcode == 9
    assert only(home, "safetensors").exists()
    assert not list(home.glob("*.json"))
    again = get_or_train("x", {}, lambda: made(2.0))
    assert again.state["w"][0, 0] == 2
    assert get_or_train("x", {}, never).state["w"][0, 0] == 2


def test_what_killed_processes_left_is_deleted_unless_a_model_is_being_stored(home) -> None:
    folder = model_folder()
    get_or_train("net", {"a": 1}, lambda: ({"w": torch.ones(1)}, {}))
    rests = [
        folder / f".{model}.{kind}.77" for model in ("old-1", "busy-2") for kind in ("safetensors", "json")
    ]
    for rest in rests:
        rest.write_bytes(b"half")
    with FileLock(folder / ".busy-2.lock"):
        get_or_train("net", {"a": 1}, lambda: ({}, {}))
    assert [rest.exists() for rest in rests] == [False, False, True, True]
    get_or_train("net", {"a": 1}, lambda: ({}, {}))
    assert not any(rest.exists() for rest in rests)


def test_a_failed_training_leaves_nothing(home) -> None:
    def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        get_or_train("x", {}, fails)
    assert not [f for f in home.iterdir() if not f.name.endswith(".lock")]


def test_a_full_disk_is_reported_and_leaves_no_partial_file(home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match=r"cannot be written \(.*No space left.*UNLEARN_DATA"):
        get_or_train("x", {}, made)
    assert not [f for f in home.iterdir() if not f.name.endswith(".lock")]


class Asked(Exception):
    """Carries what the cache was asked for."""


def identity_of(monkeypatch, scenario, recipe, role="original"):
    def ask(label, identity, train):
        raise Asked(label, json.dumps(identity, sort_keys=True))

    monkeypatch.setattr(trained, "get_or_train", ask)
    ask_for = trained.original_model if role == "original" else trained.retrained_model
    with pytest.raises(Asked) as asked:
        ask_for(scenario, recipe, torch.device("cpu"), print)
    return asked.value.args[1]


def test_the_identity_changes_with_all_that_determines_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, recipe = Scenario("digits", "cnn2", "full_class", "8"), Recipe(epochs=2)

    def identity(scenario=scenario, recipe=recipe, role="original"):
        return identity_of(monkeypatch, scenario, recipe, role)

    changes = {
        "epochs": 3,
        "batch_size": 32,
        "max_lr": 0.2,
        "momentum": 0.8,
        "momentum_range": (0.85, 0.95),
        "weight_decay": 0.0,
        "augmentation": "crop",
        "optimiser": "adam",
        "milestones": (2,),
        "gamma": 0.5,
        "warmup": 1,
        "clip": 0.1,
        "balanced": True,
        "pretrained": True,
        "precision": "bfloat16",
    }
    assert {*changes, "original"} == set(vars(recipe)), "see test_published_original.py"
    seen = [
        identity(),
        *(identity(recipe=replace(recipe, **{k: v})) for k, v in changes.items()),
        identity(scenario=replace(scenario, seed=1)),
        identity(scenario=Scenario("digits", "cnn2", "sub_class", "8")),
        identity(role="retrained"),
        identity(role="retrained", scenario=replace(scenario, forget="9")),
        identity(role="retrained", scenario=Scenario("digits", "cnn2", "sub_class", "8")),
        identity(role="retrained", scenario=Scenario("digits", "cnn2", "random", 9)),
        identity(role="retrained", scenario=Scenario("digits", "cnn2", "random", 9, seed=1)),
    ]
    assert len(set(seen)) == len(seen)
    known = models.get("cnn2")

    def wider(n, c, s):
        return torch.nn.Sequential(known.build(n + 1, c, s), torch.nn.Linear(n + 1, n))

    monkeypatch.setitem(models._entries, "cnn2", replace(known, build=wider))
    assert identity() not in seen


def test_all_forget_sets_share_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(epochs=2)
    same = {
        identity_of(monkeypatch, Scenario("digits", "cnn2", task, forget), recipe)
        for task, forget in (("full_class", "8"), ("full_class", "1+2"), ("random", "30"))
    }
    assert len(same) == 1


def test_every_draw_has_another_retrained_model_and_all_share_the_original() -> None:
    draws = [Scenario("digits", "cnn2", "random", "40", draw=draw) for draw in range(3)]
    recipe = Recipe(epochs=1)
    assert len({model_id("original", s, recipe) for s in draws}) == 1
    retrained = [model_id("retrained", s, recipe) for s in draws]
    assert len(set(retrained)) == 3
    assert "-draw" not in retrained[0]
    assert "digits-cnn2-without-random-40-draw2-" in retrained[2]


def test_the_retrained_model_starts_fresh_and_sees_no_forget_image(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = Scenario("digits", "cnn2", "full_class", "8")
    seen = {}

    def fake(model, images, validation, recipe, rng, on_epoch, after_step, recorder):
        start = {k: v.clone() for k, v in model.state_dict().items()}
        labels = set(images.labels.tolist()) | set(validation.labels.tolist())
        seen[len(images)] = (start, labels)
        return History(1, 50.0, 0.0)

    monkeypatch.setattr(trained, "train", fake)
    trained.retrained_model(scenario, Recipe(epochs=1), torch.device("cpu"), print)
    ((start, labels),) = seen.values()
    with seeded(0):
        fresh = models.get("cnn2").build(10, 1, 8).state_dict()
    assert all(torch.equal(fresh[k], start[k]) for k in fresh)
    assert labels == set(range(10)) - {8}
    assert not (cache.model_folder()).joinpath("original").exists()
    assert all("without" in f.name for f in cache.model_folder().glob("*.json"))


def test_a_read_only_folder_is_reported_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path / "new"))
    assert cache.writable_model_folder() == tmp_path / "new" / "models"
    assert not list((tmp_path / "new" / "models").iterdir())
    for unwritable in ("/proc", "/proc/none", "/dev/full"):
        monkeypatch.setenv("UNLEARN_DATA", unwritable)
        with pytest.raises(CacheError, match=rf"{unwritable}/models cannot be written .*set UNLEARN_DATA"):
            cache.writable_model_folder()
