"""Plans are refused at once: line, reason, nearest valid name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.methods import methods
from search.errors import PlanError
from search.plan import Plan
from search.plan_files import PLANS, load, parse

GOOD = """name: mine
dataset: digits
model: cnn2
task: full_class
methods: [jit]
search:
  forget: [3, "8"]
  trials: 10
"""


def test_numbers_and_names_both_name_a_class() -> None:
    (plan,) = parse(GOOD)
    assert [s.forget for s in plan.searched()] == ["3", "8"]
    assert plan.search.objective == "gap"
    assert plan.benchmark is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dataset: digits",
            "dataset: digit",
            r"mine.yaml:2: unknown data set 'digit'; did you mean 'digits'",
        ),
        ("model: cnn2", "model: cnn", r"mine.yaml:3: unknown model 'cnn'; did you mean 'cnn2'"),
        ("task: full_class", "task: fullclass", r"mine.yaml:4: unknown task 'fullclass'; did you mean"),
        ("[jit]", "[jitt]", r"mine.yaml:5: unknown method 'jitt'; did you mean 'jit'"),
        ("[jit]", "[]", r"mine.yaml:5: 'methods' is \(\)|mine.yaml:5: 'methods'"),
        ("[jit]", "[retrain]", r"mine.yaml:5: 'retrain' has nothing to search"),
        ('[3, "8"]', "[3, 12]", r"mine.yaml:7: 'digits' has no class '12'"),
        ("trials: 10", "trials: 0", r"mine.yaml:8: 'search.trials' is 0"),
        ("trials: 10", "trails: 10", r"mine.yaml:8: unknown key 'trails'; did you mean 'trials'"),
        ("trials: 10", "objective: gapp", r"mine.yaml:8: unknown objective 'gapp'; did you mean 'gap'"),
        ("trials: 10", "space: {jit: {lrr: 1}}", r"mine.yaml:8: unknown hyper-parameter 'lrr'"),
        ("trials: 10", "space: {salun: {lr: 1}}", r"mine.yaml:8: a space for 'salun', which is not among"),
        ("name: mine", "nam: mine", r"mine.yaml:1: unknown key 'nam'; did you mean 'name'"),
        ("methods:", "metods:", r"mine.yaml:5: unknown key 'metods'; did you mean 'methods'"),
        ("name: mine\n", "", r"mine.yaml:1: 'name' is missing"),
        (
            "  trials: 10",
            "benchmark: {forget: [3], metrics: [anamnesis]}",
            r"mine.yaml:8: unknown metric 'anamnesis'; did you mean 'anamnesis_index'",
        ),
        ("name: mine", "name: ../x", r"mine.yaml:1: 'name' may hold letters"),
        ("name: mine", "name: [", r"mine.yaml:\d+: not valid YAML"),
        (GOOD, "- a\n- b\n", r"mine.yaml: a plan is a list of"),
    ],
)
def test_mistakes_are_named_with_their_line(old: str, new: str, message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        parse(GOOD.replace(old, new), "mine.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["import:whose_nets:build", "import:whose_nets:build@16"])
def test_code_that_a_plan_names_runs_only_where_the_user_allows_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whose_nets.py").write_text("from benchmarks.models.cnn2 import build\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    text = GOOD.replace("cnn2", name)
    with pytest.raises(PlanError, match=r"mine.yaml:3: '.*' runs code of a module.*add --allow-code"):
        parse(text, "mine.yaml")
    assert "whose_nets" not in sys.modules
    try:
        assert parse(text, "mine.yaml", allow_code=True)[0].model == name
        assert "whose_nets" in sys.modules
    finally:
        sys.modules.pop("whose_nets", None)


def test_costly_metrics_are_named_once_in_any_order() -> None:
    def chosen(metrics: str) -> tuple[str, ...]:
        return parse(f"{GOOD}benchmark: {{forget: [3], metrics: {metrics}}}")[0].costly_metrics()

    both = ("anamnesis_index", "mia_gap")
    assert chosen("[mia_gap, gap, anamnesis_index, mia_gap]") == chosen(str(list(both))) == both
    assert chosen("mia_gap") == ("mia_gap",)
    assert parse(GOOD)[0].costly_metrics() == ()


def test_forgetting_the_only_classes_is_refused() -> None:
    everything = "+".join(str(i) for i in range(10))
    with pytest.raises(PlanError, match="leaves no class"):
        parse(GOOD.replace('[3, "8"]', f'"{everything}"'))


def test_missing_plan_suggests_those_that_ship(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="did you mean 'demo'"):
        load("dem")
    with pytest.raises(PlanError, match="no plan"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_plans_are_valid(path: Path) -> None:
    assert load(path.stem)


def renamed(plan: Plan, **search: object) -> Plan:
    return plan.model_copy(update={"search": plan.search.model_copy(update=search)})


def test_run_id_changes_with_what_changes_the_trials_and_only_with_that() -> None:
    (plan,) = parse(GOOD)
    same = plan.run_id("search")
    assert renamed(plan, trials=20).run_id("search") == same
    assert renamed(plan, forget=("1",)).run_id("search") == same
    assert renamed(plan, seed=1).run_id("search") != same
    assert renamed(plan, presets=False).run_id("search") != same
    assert plan.model_copy(update={"seed": 5}).run_id("search") != same
    assert plan.run_id("benchmark") != same


def test_all_methods_are_those_of_the_task() -> None:
    chosen = parse(GOOD.replace("[jit]", "all"))[0].methods
    assert {"jit", "finetune", "amnesiac"} <= set(chosen)
    assert not {"original", "retrain"} & set(chosen)
    for method in methods:
        assert (method.name in chosen) == ("full_class" in method.tasks and not method.reference)


def test_a_plan_that_lists_models_or_data_sets_stands_for_each_pair() -> None:
    text = GOOD.replace("dataset: digits", "dataset: [digits, mnist]").replace(
        "model: cnn2", "model: [cnn2, cnn2@16]"
    )
    plans = parse(text)
    name = parse(GOOD)[0].name
    assert [(p.name, p.dataset, p.model) for p in plans] == [
        (f"{name}-digits-cnn2", "digits", "cnn2"),
        (f"{name}-digits-cnn2-16", "digits", "cnn2@16"),
        (f"{name}-mnist-cnn2", "mnist", "cnn2"),
        (f"{name}-mnist-cnn2-16", "mnist", "cnn2@16"),
    ]
    assert plans[0].run_id("search") != plans[1].run_id("search")


def test_a_checkpoint_that_is_not_there_is_refused_and_one_that_is_belongs_to_the_run(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan:\d+: there is no file 'none.safetensors'"):
        parse(GOOD + "checkpoint: none.safetensors\n")
    file = tmp_path / "mine.safetensors"
    file.touch()
    (plan,) = parse(GOOD + f"checkpoint: {file}\n")
    assert plan.run_id("search") != parse(GOOD)[0].run_id("search")
    with pytest.raises(PlanError, match="'amnesiac_delta' needs a training that recorded its steps"):
        parse(GOOD.replace("[jit]", "[amnesiac_delta]") + f"checkpoint: {file}\n")
