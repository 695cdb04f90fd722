"""Plans are refused at once: line, reason, nearest valid name."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from PIL import Image

from analysis.results.ranges import Range
from benchmarks.hyperparameters import declared
from benchmarks.methods import methods
from search.errors import PlanError
from search.plans import limits
from search.plans.files import load, parse
from search.plans.identity import run_id
from search.plans.plan import Plan
from search.plans.sources import PLANS
from search.studies.study import SEEDS_PER_STUDY

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
    assert plan.objective().name == "gap"
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
        ("[jit]", "[retrain]", r"mine.yaml:5: 'retrain' has nothing to search"),
        ('[3, "8"]', "[3, 12]", r"mine.yaml:7: 'digits' has no class '12'"),
        ("trials: 10", "trials: 0", r"mine.yaml:8: 'search.trials' is 0"),
        ("trials: 10", "trails: 10", r"mine.yaml:8: unknown key 'trails'; did you mean 'trials'"),
        ("trials: 10", "objective: gapp", r"mine.yaml:8: unknown objective 'gapp'; did you mean 'gap'"),
        (
            "trials: 10",
            "objective: {metrics: {retain_ac: 1}}",
            r"mine.yaml:8: unknown metric 'retain_ac'; did you mean 'retain_acc'",
        ),
        ("trials: 10", "objective: {}", r"mine.yaml:8: 'search.objective'.*write gap, pareto, .*keep: 2"),
        (
            "trials: 10",
            "objective: {metrics: {mia: {weight: 1, aim: retrain}}}",
            r"mine.yaml:8: 'search.objective.metrics.mia.aim' is 'retrain'.*'retrained'",
        ),
        (
            "trials: 10",
            "objective: {metrics: {mia: {wieght: 1}}}",
            r"mine.yaml:8: unknown key 'wieght'; did you mean 'weight'",
        ),
        ("trials: 10", "objective: {keep: -1}", r"mine.yaml:8: 'search.objective.keep' is -1"),
        ("trials: 10", "sampler: tpee", r"mine.yaml:8: 'search.sampler' is 'tpee'.*'tpe'"),
        ("trials: 10", "sampler: cmaes\n  objective: pareto", r"mine.yaml:8: 'cmaes' minimises one number"),
        ("trials: 10", "repeats: 2\n  objective: pareto", r"mine.yaml:8: 'repeats' is for one number"),
        ("trials: 10", "stop: 1\n  objective: pareto", r"mine.yaml:8: 'stop' is for one number"),
        ("trials: 10", "repeats: 2\n  pruner: median", r"mine.yaml:9: a point of several seeds"),
        ("trials: 10", "repeats: 11", r"mine.yaml:8: 'search.repeats' is 11"),
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
        (
            "  trials: 10",
            "  trials: 10\n  trials: 3",
            r"mine.yaml:9: 'search.trials' is given .* lines 8 and 9",
        ),
        ("task:", "model: vgg11\ntask:", r"mine.yaml:4: 'model' is given twice, on lines 3 and 4; keep one"),
        ('[3, "8"]', "[]", r"mine.yaml:7: 'search.forget' is empty; name one or more"),
        ("[jit]", "[]", r"mine.yaml:5: 'methods' is empty; name one or more"),
        ("dataset: digits", "dataset: []", r"mine.yaml:2: 'dataset' is empty; name one or more"),
        ("  trials: 10", "benchmark: {forget: []}", r"mine.yaml:8: 'benchmark.forget' is empty"),
        ("  trials: 10", "benchmark: {forget: [3], seeds: 0}", r"mine.yaml:8: 'benchmark.seeds' is 0"),
        ("trials: 10", "trials: 100000000000", r"mine.yaml:8: .* than or equal to 100000$"),
        ("trials: 10", "trials: 1e400", r"mine.yaml:8: 'search.trials' is inf: input should be a finite"),
        ("trials: 10", "seed: 20251125123456", r"mine.yaml:8: 'search.seed' .* than or equal to 4294967295$"),
        ("name: mine", "seed: 1e30\nname: mine", r"mine.yaml:1: 'seed' .* than or equal to 4294967295$"),
        ("  trials: 10", "training: {epochs: 1e20}", r"mine.yaml:8: .* than or equal to 100000$"),
        ("  trials: 10", "training: {batch_size: 1e20}", r"mine.yaml:8: .* than or equal to 1000000$"),
        (
            "  trials: 10",
            "training: {max_lr: .inf}",
            r"mine.yaml:8: 'training.max_lr' is '.inf': input should",
        ),
        ("  trials: 10", "resources: {gpus_per_trial: 1e-310}", r"mine.yaml:8: .*cannot be placed safely"),
        ("  trials: 10", "resources: {gpus_per_trial: {H100: 3}}", r"mine.yaml:8: .*cannot be placed safely"),
        ("  trials: 10", "resources: {gpus_per_trial: much}", r"mine.yaml:8: .* write auto, 0, a share 1/k"),
        (
            "  trials: 10",
            "benchmark: {forget: [0, 1, 2, 3, 4, 5, 6, 7, 8], seeds: 10000}",
            r"mine.yaml:8: .* 540000 tr",
        ),
        ("name: mine", "references: -1\nname: mine", r"mine.yaml:1: .* a number from 0 to 50$"),
        ("name: mine", "references: 0\nname: mine", r"mine.yaml:1: the objective compares .*\{keep: 2\}"),
        (
            "  trials: 10",
            "  objective: {metrics: {js_forget: 1}}\nreferences: 0",
            r"mine.yaml:9: the objective compares with a retrained model",
        ),
        (
            "  trials: 10",
            "  objective: {keep: 2}\nbenchmark: {forget: [3]}\nreferences: 0",
            r"mine.yaml:10: a benchmark compares with retrained models, .*; leave 'benchmark' out",
        ),
        ("trials: 10", "space: {jit: {n_samples: 1e12}}", r"mine.yaml:8: 'n_samples' must be at most 1e\+09"),
        ("trials: 10", "space: {jit: {lr: [1e-5, 1e300]}}", r"mine.yaml:8: 'lr' must be at most 1e\+15"),
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


@pytest.mark.parametrize("name", ["import:whose_data:build", "import:whose_data:build@100"])
def test_data_from_code_that_a_plan_names_are_made_only_where_the_user_allows_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whose_data.py").write_text(
        "import numpy as np\n"
        "def build():\n"
        "    images = np.zeros((200, 8, 8, 1), np.uint8), np.arange(200) % 10\n"
        "    return images, images\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = GOOD.replace("digits", name)
    with pytest.raises(PlanError, match=r"mine.yaml:2: '.*' runs code of a module.*add --allow-code"):
        parse(text, "mine.yaml")
    assert "whose_data" not in sys.modules
    try:
        assert parse(text, "mine.yaml", allow_code=True)[0].dataset == name
        (tmp_path / "whose_data.py").write_text("def build():\n    pass\n")
        sys.modules.pop("whose_data")
        with pytest.raises(PlanError, match=r"mine.yaml:2: data set '.*whose_data.py\): .* returns nothing;"):
            parse(text, "mine.yaml", allow_code=True)
    finally:
        sys.modules.pop("whose_data", None)


def test_named_metrics_are_named_once_in_any_order() -> None:
    def chosen(metrics: str) -> tuple[str, ...]:
        return parse(f"{GOOD}benchmark: {{forget: [3], metrics: {metrics}}}")[0].named_metrics()

    both = ("anamnesis_index", "mia_gap")
    assert chosen("[mia_gap, gap, anamnesis_index, mia_gap]") == chosen(str(list(both))) == both
    assert chosen("mia_gap") == ("mia_gap",)
    assert parse(GOOD)[0].named_metrics() == ()


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
    same = run_id(plan, "search")
    assert run_id(renamed(plan, trials=20), "search") == same
    assert run_id(renamed(plan, forget=("1",)), "search") == same
    assert run_id(renamed(plan, seed=1), "search") != same
    assert run_id(renamed(plan, presets=False), "search") != same
    assert run_id(plan.model_copy(update={"seed": 5}), "search") != same
    assert run_id(plan, "benchmark") != same


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
    assert run_id(plans[0], "search") != run_id(plans[1], "search")


def test_a_missing_checkpoint_is_refused_and_an_existing_checkpoint_belongs_to_the_run(
    tmp_path: Path,
) -> None:
    with pytest.raises(PlanError, match=r"plan:\d+: there is no file 'none.safetensors'"):
        parse(GOOD + "checkpoint: none.safetensors\n")
    file = tmp_path / "mine.safetensors"
    file.touch()
    (plan,) = parse(GOOD + f"checkpoint: {file}\n")
    assert run_id(plan, "search") != run_id(parse(GOOD)[0], "search")
    with pytest.raises(PlanError, match="'amnesiac_delta' needs a training that recorded its steps"):
        parse(GOOD.replace("[jit]", "[amnesiac_delta]") + f"checkpoint: {file}\n")


def test_values_are_what_they_mean_however_they_are_spelt() -> None:
    def read(old: str = "", new: str = "") -> Plan:
        return parse(GOOD.replace(old, new))[0]

    def space(text: str) -> dict[str, object]:
        return read("trials: 10", f"space: {text}").search.space

    assert read("trials: 10", "trials: 1e1") == read("trials: 10", "trials: '10.0'") == read()
    assert read("name: mine", "name: 1.10").name == "1.10"
    assert space("{jit: {lr: [1e-5, 0.5], n_samples: 60.0, accumulate: yes}}") == {
        "jit": {"accumulate": True, "lr": [1e-5, 0.5], "n_samples": 60}
    }
    assert space("{jit: {n_samples: 60, lr: [0.00001, .5]}}") == space(
        "{jit: {lr: [1e-5, 5e-1], n_samples: 6e1}}"
    )
    assert space("{jit: {}}") == space("{}") == read().search.space == {}
    declared_range = [[p.low, p.high] for p in declared(methods.get("jit").Params) if p.name == "lr"]
    assert space(f"{{jit: {{lr: {declared_range[0]}, epochs: 1}}}}") == {}, "what is declared anyway"
    assert space("{jit: {lr: [0.5, 0.5]}}") == space("{jit: {lr: 0.5}}") == {"jit": {"lr": 0.5}}
    assert read("cnn2", "cnn2@0016").model == "cnn2@16"


def test_names_given_twice_run_once_and_are_reported() -> None:
    def distinct(text: str, scale: float | None = None) -> tuple[Plan, list[str]]:
        lines: list[str] = []
        (plan,) = parse(text, "p.yaml", scale, tell=lines.append)
        return plan, lines

    plan, lines = distinct(
        GOOD.replace("[jit]", "[jit, finetune, jit]").replace('3, "8"', '8, "8", 3+8, 8+3')
    )
    assert plan.methods == ("jit", "finetune")
    assert plan.search.forget == ("8", "3+8")
    assert lines == [
        "p.yaml: 'methods' names 'jit' 2 times; it runs once",
        "p.yaml: 'search.forget' names '8' 2 times; it runs once",
        "p.yaml: 'search.forget' names '3+8' and '8+3', which are the same, '3+8'; it runs once",
    ]
    repeated = "benchmark: {forget: ['3', 3], beside: [salun, salun], metrics: [mia_gap, mia_gap]}"
    plan, lines = distinct(GOOD + repeated)
    assert plan.benchmark is not None
    assert (plan.benchmark.forget, plan.benchmark.beside, plan.benchmark.metrics) == (
        ("3",),
        ("salun",),
        ("mia_gap",),
    )
    assert len(lines) == 3
    plan, lines = distinct(GOOD.replace("full_class", "random").replace('3, "8"', "50, 100"), 0.05)
    assert plan.search.forget == ("10",)
    assert lines == ["p.yaml at scale 0.05: 'search.forget' names '10' 2 times; it runs once"]
    plan, lines = distinct(GOOD.replace("model: cnn2", "model: [cnn2@16, cnn2@016]"))
    assert lines == ["p.yaml: 'cnn2@16' on 'digits' is named more than once; it runs once"]


def test_text_stays_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes called 01 to 04: YAML 1.1 reads 01 as the number 1, which is the index of 02."""
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    for name in ("01", "02", "03", "04", "no", "2025-13-45"):
        (tmp_path / "birds" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("L", (16, 16), i).save(tmp_path / "birds" / name / f"{i}.png")
    text = GOOD.replace("digits", "image_folder:birds")
    (plan,) = parse(text.replace('3, "8"', '01, no, 2025-13-45, "02+03"'))
    assert [s.forget for s in plan.searched()] == ["01", "no", "2025-13-45", "02+03"]
    with pytest.raises(PlanError, match=r"plan:7: '1' could mean the class '01' .* at index 1, '02'; write"):
        parse(text.replace('3, "8"', "1"))


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in itertools.pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, r"p:5: not valid YAML: there are more than 20000 values"),
        ("name: &x [*x]", r"p:1: not valid YAML: '\*x' refers to itself"),
        ("name: " + "[" * 100, r"p:1: not valid YAML: it is nested more than 40 levels deep"),
        ("name: !!python/object:os.system x", r"p:1: not valid YAML: .* a tag has no meaning in a plan"),
        ('name: "\\e[31m"', r"p:1: '\\x1b\[31m' contains a control character"),
        ('name: "\\ud800"', r"p:1: '\\ud800' contains a control character"),
        ("a: 1\nname: \x1b[31m", r"p:2: not valid YAML: a character that cannot be printed \(U\+001B\)"),
        ("\u202ename: x", r"p:1: unknown key '\\u202ename'"),
        (
            "a: 1\n---\nb: 2",
            r"p:2: not valid YAML: expected a single document in the stream, but found another",
        ),
        ("? [a]\n: b", r"p:1: a key is a word"),
        ("", r"p: a plan is a list of"),
        (
            "name: 0x\ndataset: .\nmodel: =\ntask: y\nmethods: 2025-13-45\nsearch: {forget: 0x}",
            "unknown data set '.'",
        ),
    ],
)
def test_hostile_text_is_refused_in_a_printable_line(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message) as refused:
        parse(text, "p")
    assert str(refused.value).isprintable()


def test_a_file_that_is_no_plan_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="/dev/zero is larger than a plan can be"):
        load("/dev/zero")
    with pytest.raises(PlanError, match=r"there is no plan 'x{300}'"):
        load("x" * 300)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"name: \xff")
    with pytest.raises(PlanError, match="cannot be read"):
        load(binary)


def test_the_seeds_of_trials_fit_into_64_bits() -> None:
    assert limits.TRIALS <= SEEDS_PER_STUDY
    assert SEEDS_PER_STUDY * (limits.SEED + 1) + limits.TRIALS < 2**63


def test_the_space_of_a_method_follows_the_plan_and_is_worked_out_once() -> None:
    (plan,) = parse(GOOD)
    jit = methods.get("jit")
    narrow = plan.model_copy(
        update={"search": plan.search.model_copy(update={"space": {"jit": {"lr": [1e-3, 1e-2]}}})}
    )
    assert narrow.space(jit).ranges["lr"] == Range(1e-3, 1e-2, True)
    assert plan.space(jit).ranges["lr"] != narrow.space(jit).ranges["lr"]
    assert plan.space(jit) is parse(GOOD)[0].space(jit)


def test_a_model_that_is_used_as_it_was_published() -> None:
    (table5,) = load("jit-table5")
    recipe = table5.recipe()
    assert (recipe.original, recipe.pretrained, recipe.epochs) == ("published", True, 8)
    space = table5.space(methods.get("jit"))
    assert space.fixed == {"rescale_noised": True}
    assert load("jit-table5", 0.001)[0].recipe().original == "trained"
    text = GOOD + "training: {original: published}\n"
    with pytest.raises(
        PlanError, match=r":\d+: there are no published weights of 'cnn2. that this package knows; write"
    ):
        parse(text)
    with pytest.raises(PlanError, match="and the model as it was published was trained elsewhere"):
        parse(text.replace("cnn2", "vit_b16").replace("[jit]", "[amnesiac_delta]"))
