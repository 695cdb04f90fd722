"""A run is its content: its name changes with the content of its rows, and not with a path or a spelling."""

from __future__ import annotations

import importlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.datasets import load, loading
from benchmarks.methods import methods
from benchmarks.metrics import metrics
from benchmarks.metrics.base import Metric
from search.plans.entries import Entry
from search.plans.files import parse
from search.plans.identity import (
    Identity,
    benchmark_identity,
    code_id,
    search_identity,
    sensitivity_identity,
)
from search.plans.plan import Plan
from search.results.records import records
from search.results.writer import Results

TEXT = """
name: tiny
dataset: digits
model: cnn2
task: full_class
methods: [jit, finetune]
search: {forget: "8", trials: 6}
benchmark: {forget: ["3", "8"], seeds: 2}
"""


def plan(*lines: str, text: str = TEXT) -> Plan:
    return parse(text + "".join(f"{line}\n" for line in lines))[0]


def searched(text: str) -> Plan:
    return plan(text=TEXT.replace('{forget: "8", trials: 6}', text))


def other_images(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = load("digits")
    x = digits.train.x.copy()
    x[0, 0, 0, 0] ^= 1
    monkeypatch.setitem(loading._provided, "digits", replace(digits, train=replace(digits.train, x=x)))


def test_other_images_are_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before = search_identity(plan())
    assert search_identity(plan()) == before
    other_images(monkeypatch)
    assert search_identity(plan()).run_id != before.run_id


def test_images_from_code_count_by_what_they_are_and_by_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    text = TEXT.replace("digits", "import:counted_data:build")

    def now(made: str) -> Identity:
        sys.modules.pop("counted_data", None)
        file = tmp_path / "counted_data.py"
        file.write_text(
            "import numpy as np\n"
            "def build():\n"
            f"    images = np.full((200, 8, 8, 1), {made}, np.uint8), np.arange(200) % 10\n"
            "    return images, images\n"
        )
        importlib.invalidate_caches()
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        return search_identity(parse(text, allow_code=True)[0])

    try:
        first = now("3")
        assert now("(3)") == first
        same, other = now("1 + 2"), now("4")
    finally:
        sys.modules.pop("counted_data", None)
    assert first.shared["code"] == {
        "import:counted_data:build": first.shared["code"][first.shared["dataset"]]
    }
    assert same.shared["images"] == first.shared["images"] != other.shared["images"]
    assert len({first.run_id, same.run_id, other.run_id}) == 3


def test_a_checkpoint_counts_by_its_weights_and_not_by_its_path(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from benchmarks import Scenario
    from benchmarks.training.networks import build_network

    scenario = Scenario("digits", "cnn2", "full_class", "8")
    first, copy, second = (tmp_path / f"{name}.safetensors" for name in ("first", "copy", "second"))
    for seed, file in enumerate((first, second)):
        save_file(build_network(scenario, seed).state_dict(), file)
    shutil.copy(first, copy)
    names = [search_identity(plan(f"checkpoint: {file}")).run_id for file in (first, copy, second)]
    assert names[0] == names[1]
    assert len({search_identity(plan()).run_id, *names}) == 3


def test_a_methods_space_and_source_change_only_its_study(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, narrow = searched('{forget: "8"}'), searched('{forget: "8", space: {jit: {lr: [1e-3, 1e-2]}}}')
    before, after = search_identity(whole), search_identity(narrow)
    assert after.run_id == before.run_id
    assert after.study_id("jit") != before.study_id("jit")
    assert after.study_id("finetune") == before.study_id("finetune")
    monkeypatch.setattr(
        "search.plans.identity.source_digest",
        lambda part: "edited" if part is type(methods.get("jit")) else "",
    )
    edited = search_identity(whole)
    assert (edited.run_id, edited.study_id("finetune")) == (before.run_id, before.study_id("finetune"))
    assert edited.study_id("jit") != before.study_id("jit")
    assert code_id(whole, methods.get("jit"))
    assert code_id(whole, methods.get("finetune")) == ""


def test_a_user_defined_metric_belongs_to_every_run_that_measures_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = search_identity(plan()).run_id
    added = metrics.add(Metric("own", "a metric", "a user", "%", lambda evaluation, references: 1.0))
    try:
        with_metric = search_identity(plan()).run_id
        monkeypatch.setattr(
            "search.plans.identity.source_digest", lambda part: "fixed" if part is added.compute else ""
        )
        assert len({before, with_metric, search_identity(plan()).run_id}) == 3
    finally:
        metrics.remove("own")


@pytest.mark.parametrize(
    ("spelling", "other"),
    [
        ('{forget: "8", space: {}}', '{forget: "8", space: {jit: {}}}'),
        (
            '{forget: "8", space: {jit: {lr: [1e-5, 1e-1]}}}',
            '{forget: "8", space: {jit: {lr: [1.0e-5, 0.1]}}}',
        ),
        ('{forget: "8", space: {jit: {n_samples: 50}}}', '{forget: "8", space: {jit: {n_samples: 50.0}}}'),
    ],
)
def test_spelling_does_not_count(spelling: str, other: str) -> None:
    first, second = (search_identity(searched(text)) for text in (spelling, other))
    assert first == second


def test_what_is_published_spelt_out_is_the_same_recipe() -> None:
    epochs = plan().recipe().epochs
    assert search_identity(plan(f"training: {{epochs: {epochs}}}")) == search_identity(plan())
    assert (
        search_identity(plan(f"training: {{epochs: {epochs + 1}}}")).run_id != search_identity(plan()).run_id
    )


def test_a_line_of_a_benchmark_counts_by_its_values() -> None:
    jit, ssd = methods.get("jit"), methods.get("ssd")
    first = benchmark_identity(
        plan(), [Entry(jit, "published", {}), Entry(ssd, "tuned", {}, tuned_on=("8",))]
    )
    again = benchmark_identity(plan(), [Entry(jit, "published", {"lr": jit.Params().lr})])
    other = benchmark_identity(plan(), [Entry(jit, "published", {"lr": 0.5})])
    (name,) = again.studies
    assert first.run_id == again.run_id == other.run_id
    assert first.study_id(name) == again.study_id(name) != other.study_id(name)


def test_changes_are_named_in_a_new_run_and_in_a_study_that_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept(identity: Identity) -> list[str]:
        news = list(identity.news(records(tmp_path, "tiny-search")))
        with Results(tmp_path, identity.run_id) as results:
            results.save_plan(identity.record())
        return news

    first = search_identity(plan())
    assert kept(first) == []
    assert kept(first) == []
    narrow = search_identity(searched('{forget: "8", space: {jit: {lr: [1e-3, 1e-2]}}}'))
    (line,) = kept(narrow)
    assert line.startswith("jit has changed: ranges lr [0.001, 0.01] (before [")
    assert line.endswith(f"); its trials are kept apart in run {first.run_id}")
    other_images(monkeypatch)
    second = search_identity(plan())
    (line,) = kept(second)
    assert line == (
        f"run {second.run_id} is new; it differs from {first.run_id}: "
        f"images {second.shared['images']} (before {first.shared['images']})"
    )


def test_how_a_search_evaluates_counts_only_where_it_changes_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by_all = searched('{forget: "8", evaluate: all}')
    assert search_identity(by_all) == search_identity(plan()), "digits are few, and all of them are evaluated"
    monkeypatch.setattr("benchmarks.scenarios.subsets.ENOUGH", 500)
    whole, part = search_identity(by_all), search_identity(plan())
    assert "evaluate" not in whole.shared, "as runs from before there were subsets"
    assert part.shared == {**whole.shared, "evaluate": "auto"}
    with Results(tmp_path, whole.run_id) as results:
        results.save_plan(whole.record())
    (line,) = part.news(records(tmp_path, "tiny-search"))
    assert line == f"run {part.run_id} is new; it differs from {whole.run_id}: evaluate auto (before all)"
    few = search_identity(plan("eval_limit: 400"))
    assert few == search_identity(plan("eval_limit: 400", text=TEXT.replace("trials: 6", "evaluate: all")))
    assert benchmark_identity(by_all, []).run_id == benchmark_identity(plan(), []).run_id
    centre = {"jit": (methods.get("jit"), {})}
    assert sensitivity_identity(plan(), centre).shared["evaluate"] == "auto"
