"""`--set KEY=VALUE`: any key of a plan, checked like the file, with mistakes reported by their option."""

from __future__ import annotations

import pytest

from search.errors import PlanError
from search.plans.files import load, parse
from search.plans.identity import run_id
from search.plans.parcel import parcel
from search.plans.plan import Plan

TEXT = """\
name: mine
dataset: digits
model: cnn2
task: full_class
methods: [jit, ssd]
search:
  forget: [3, "8"]
  trials: 10
benchmark: {forget: ["3"], seeds: 3}
"""
PARTS = TEXT + 'parts:\n  a: {search: {forget: "1"}}\n  b: {methods: [scrub]}\n'


def plans(*changes: str, text: str = TEXT) -> list[Plan]:
    return parse(text, "mine.yaml", changes=changes)


def test_any_key_can_be_changed() -> None:
    (plan,) = plans(
        "search.trials=5",
        "methods=jit",
        "search.space.jit.lr=[1e-3, 1e-2]",
        "search.space={jit: {sigma: 1}}",
        "training.epochs = 3",
        "name=other",
        "resources.gpus_per_trial={H100: 0.25, cpu: 0}",
        "paper=",
    )
    assert (plan.search.trials, plan.methods, plan.training.epochs) == (5, ("jit",), 3)
    assert plan.search.space == {"jit": {"sigma": 1.0}}, "the later one counts"
    assert plan.search.forget == ("3", "8")
    assert plan.resources.gpus_per_trial == {"H100": 0.25, "cpu": 0}
    assert (plan.name, plan.paper) == ("other", None)
    assert plans("benchmark=")[0].benchmark is None


def test_a_change_is_the_same_run_as_the_file_that_says_so() -> None:
    written = parse(TEXT.replace("trials: 10", "trials: 10\n  seed: 4"))[0]
    assert run_id(plans("search.seed=4")[0], "search") == run_id(written, "search")
    assert run_id(plans("search.trials=20")[0], "search") == run_id(plans()[0], "search")


def test_a_change_holds_for_all_parts_also_where_they_have_the_section_for_themselves() -> None:
    a, b = plans("search.trials=5", text=PARTS)
    assert (a.search.trials, a.search.forget, b.search.trials) == (5, ("1",), 5)
    a, b = plans("methods=[finetune]", text=PARTS)
    assert a.methods == b.methods == ("finetune",)
    a, b = plans("parts.a.search.trials=7", text=PARTS)
    assert (a.search.trials, b.search.trials) == (7, 10)
    assert [p.name for p in plans("name=x", text=PARTS)] == ["x-a", "x-b"]


@pytest.mark.parametrize("dataset", ["dataset=[digits, mnist]", "model=[cnn2, cnn2@16]"])
def test_a_list_of_data_sets_or_networks_stands_for_several_plans(dataset: str) -> None:
    assert len(plans(dataset)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("search.trails=5", "unknown key 'trails'; did you mean 'trials'?"),
        ("serch.trials=5", "unknown key 'serch'; did you mean 'search'?"),
        ("search.trials=0", "'search.trials' is 0: "),
        ("model=ResNet-18", "unknown model 'ResNet-18'; did you mean 'resnet18'?"),
        ("methods=[jit, JiT]", "unknown method 'JiT'; did you mean 'jit'?"),
        ("benchmark.forget=[3, 44]", "'digits' has no class '44'"),
        ("search.forget=44", "'digits' has no class '44'"),
        ("search.space.jit.lr=fast", "'lr' must be of type float, not 'fast'"),
        ("search.trials", "write --set KEY=VALUE, such as --set search.trials=5"),
        (".=5", "write --set KEY=VALUE"),
        ("name.of=5", "'name' has a value instead of keys; set 'name' as a whole"),
        ("methods=[jit", "not valid YAML: "),
        ("name=a: b", "not valid YAML: mapping values are not allowed here"),
        ("search.trials=!!int 5", "not valid YAML: 'tag:yaml.org,2002:int': a tag has no meaning in a plan"),
    ],
)
def test_mistakes_name_the_option(change: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        plans(change)
    assert str(caught.value).startswith(f"--set {change}: {message}")
    assert "\n" not in str(caught.value)


def test_mistakes_of_the_file_still_have_their_line() -> None:
    with pytest.raises(PlanError, match=r"^mine\.yaml:8: 'search.trials' is 0"):
        plans("search.seed=4", text=TEXT.replace("trials: 10", "trials: 0"))
    with pytest.raises(PlanError, match=r"^mine\.yaml:12: unknown method 'scrubb'"):
        plans("search.trials=5", text=PARTS.replace("[scrub]", "[scrubb]"))


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(PlanError, match=r"the plan has no part 'aa'; did you mean 'a'\?"):
        plans("parts.aa.search.trials=5", text=PARTS)


def test_shipped_plans_can_be_changed() -> None:
    plan, *_ = load("jit-table8", changes=["search.trials=5", "benchmark.seeds=1"])
    assert plan.benchmark is not None
    assert (plan.search.trials, plan.benchmark.seeds) == (5, 1)


@pytest.mark.parametrize(
    "change", ["checkpoint=mine.pt", "retrained.file=x.pt", "search.forget=file:ids.txt"]
)
def test_what_is_sent_to_a_cluster_brings_no_files_by_its_options(change: str) -> None:
    with pytest.raises(PlanError, match="a file is not sent along"):
        parcel("demo", changes=[change])
