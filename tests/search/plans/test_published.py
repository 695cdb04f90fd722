"""The published values that shipped plans run, compared with those of the papers and their code.

Every value below was typed from a paper or from the facts about its code, not read from the presets. None:
the paper has no value for the method there.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.hyperparameters import build
from search.plans import published
from search.plans.files import load, parse
from search.plans.plan import Plan
from search.plans.sources import shipped

Values = dict[str, Any]

# The scripts that SSD and JiT share. SSD, section "Benchmark evaluation": baselines; batches of 64 for
# sub-classes; Bad Teacher with 256 images a batch, 128 for ViT
FINETUNE: Values = {"lr": 0.02, "epochs": 5, "batch_size": 128, "momentum": 0.9, "weight_decay": 5e-4}
AMNESIAC: Values = {"lr": 1e-4, "epochs": 3, "batch_size": 128}
TEACHER: Values = {"lr": 1e-4, "epochs": 1, "batch_size": 256, "temperature": 1.0, "retain_share": 0.3}
UNSIR: Values = {
    **{"noise_lr": 0.1, "noise_penalty": 0.1, "noise_steps": 25, "noise_images": 32, "noise_copies": 80},
    **{"lr": 1e-4, "batch_size": 32, "images_per_class": 500, "repair_lr": 1e-4, "repair_batch_size": 128},
}
HARNESS = {"finetune": FINETUNE, "amnesiac": AMNESIAC, "bad_teacher": TEACHER}
SUB_CLASS = {
    "finetune": FINETUNE | {"batch_size": 64},
    "amnesiac": AMNESIAC | {"batch_size": 64},
    "bad_teacher": TEACHER,
    # 500 images of each of a superclass's five classes
    "unsir": UNSIR | {"noise_steps": 250, "images_per_class": 2500, "repair_batch_size": 64},
}
FULL_CLASS = HARNESS | {"unsir": UNSIR}
VIT = {"bad_teacher": TEACHER | {"batch_size": 128}}
NOT_IN_JIT = {"boundary_shrink": None}  # its code is not released and the paper prints no values
GKT_OF_JIT = {"gkt": None}  # a port that cannot be expressed with our options
EMMN_OF_JIT: Values = {
    **{"noise_lr": 0.1, "noise_images": 4, "noise_copies": 80, "noise_penalty": 0.1, "norm": "squared"},
    **{"lr": 1e-4, "epochs": 2, "batch_size": 4, "halve_noise_lr": False, "noise_steps": 30},
}


def _ssd(alpha: float, dampening: float, batch_size: int = 128) -> dict[str, Values]:
    return {"ssd": {"alpha": alpha, "dampening": dampening, "batch_size": batch_size}}


def _jit(lr: float, sigma: float, batch_size: int = 128) -> dict[str, Values]:
    return {"jit": {"lr": lr, "sigma": sigma, "n_samples": 25, "batch_size": batch_size}}


def _scrub(alpha: float, gamma: float, clip: float | None, batch_size: int) -> dict[str, Values]:
    return {
        "scrub": {
            **{"lr": 5e-4, "forget_epochs": 2, "repair_epochs": 1, "temperature": 4.0, "grad_clip": clip},
            **{"alpha": alpha, "gamma": gamma, "batch_size": batch_size, "retain_batch_size": batch_size},
        }
    }


# Zero-shot, section V.A: 400 steps on 256 noise images; impair steps and learning rate per data set
def _emmn(lr: float, epochs: int) -> Values:
    return {"noise_images": 256, "noise_steps": 400, "noise_lr": 0.1, "lr": lr, "epochs": epochs}


def _gkt(lr: float, temperature: float) -> Values:
    return {
        **{"lr": lr, "generator_lr": lr, "temperature": temperature, "beta": 250.0, "threshold": 0.01},
        **{"pseudo_batches": 4000, "generator_steps": 1, "student_steps": 10, "batch_size": 256},
    }


ZERO_SHOT = {
    "mnist": {"emmn": _emmn(0.01, 1), "gkt": _gkt(0.01, 1.0)},
    "svhn": {"emmn": _emmn(0.001, 3), "gkt": _gkt(0.001, 1.0)},
    "cifar10": {"emmn": _emmn(0.01, 2), "gkt": _gkt(0.001, 0.5)},
}

SURGERY: Values = {
    **{"lr": 0.09, "momentum": 0.95, "epochs": 3, "batch_size": 2048, "l1": 1e-3},
    **{"repair_lr": 2e-3, "repair_epochs": 4, "repair_batch_size": 1024, "repair_decay": 0.5},
}
PRUNING: Values = {
    **{"prune_first": 0.01, "prune_second": 0.025, "prune_third": 0.05, "prune_fourth": 0.075},
    **{"prune_last": 0.1, "prune_rounds": 2, "lr": 1e-3, "batch_size": 512, "weight_decay": 1e-3},
}
RELABELING: Values = {
    **{"lr": 1e-3, "epochs": 20, "label_smoothing": 0.1, "weight_decay": 5e-3, "repair_epochs": 8},
    **{"batch_size": 512, "repair_lr": 1e-3},
}
OF_FACES: Values = RELABELING | {
    **{"lr": 3e-4, "label_smoothing": 0.0, "weight_decay": 1.0, "repair_epochs": 2, "repair_lr": 3e-4}
}
AKBARI = {
    **{"gradient_surgery": SURGERY, "activation_pruning": PRUNING},
    # The random labels, boundary, SCRUB and fine-tuning of its code have no values in the paper
    **dict.fromkeys(("random_labels", "boundary_shrink", "scrub", "finetune")),
}
RESNET18 = _ssd(10.0, 1.0)

# (plan, data set, network) -> what its published rows are
EXPECTED: dict[tuple[str, str, str], dict[str, Values | None]] = {
    ("jit-table4a", "cifar10", "vgg11_133m"): {
        **(_jit(3e-4, 0.01) | _ssd(10.0, 4.0) | _scrub(1.0, 5.0, None, 128) | HARNESS | NOT_IN_JIT)
    },
    ("jit-table4b", "cifar10", "vit_b16"): {
        **(_jit(0.01, 0.5) | _ssd(3.5, 1.0) | HARNESS | VIT | NOT_IN_JIT)
    },
    # The authors' notebook: the only values that are published for this network
    ("jit-figure4", "cifar10", "cnn2"): {
        "jit": {"lr": 2e-5, "sigma": 0.8, "n_samples": 100, "batch_size": 64}
    },
    ("jit-table5", "imagenet", "vit_l16"): {"jit": None, "boundary_shrink": None},
    ("jit-table6", "cifar100", "vit_b16"): {
        **(_jit(1.5, 0.8) | _ssd(1.0, 1.0) | FULL_CLASS | VIT | NOT_IN_JIT | GKT_OF_JIT),
        "emmn": EMMN_OF_JIT,
    },
    ("jit-table7", "cifar20", "vit_b16"): {
        **(_jit(0.5, 1.5, 64) | _ssd(10.0, 1.0, 64) | SUB_CLASS | VIT | NOT_IN_JIT)
    },
    ("jit-table8", "cifar100", "vgg11_133m"): {
        **(_jit(3e-4, 0.5) | _ssd(1.0, 1.0) | _scrub(1e-3, 0.99, 1.0, 128)),
        **(FULL_CLASS | NOT_IN_JIT | GKT_OF_JIT),
        "emmn": EMMN_OF_JIT,
    },
    ("jit-table9", "pins_published", "vgg11_133m"): {
        **(_jit(3e-4, 0.5) | _ssd(1.0, 1.0) | _scrub(1e-3, 0.99, 1.0, 128)),
        **(FULL_CLASS | NOT_IN_JIT | GKT_OF_JIT),
        "emmn": EMMN_OF_JIT,
    },
    ("jit-table10", "cifar20", "vgg11_133m"): {
        **(_jit(3e-4, 0.01, 64) | _ssd(5.0, 6.0, 64) | _scrub(1.0, 5.0, None, 64) | SUB_CLASS | NOT_IN_JIT)
    },
    ("ssd-table4", "pins_published", "resnet18"): _ssd(50.0, 0.1) | FULL_CLASS,
    ("ssd-table6", "cifar10", "resnet18"): RESNET18 | HARNESS,
    ("ssd-table6", "cifar10", "vit_b16"): _ssd(10.0, 1.0) | HARNESS | VIT,
    ("ssd-table7", "cifar20", "resnet18"): _ssd(10.0, 1.0, 64) | SUB_CLASS,
    ("ssd-table7", "cifar20", "vit_b16"): _ssd(25.0, 1.0, 64) | SUB_CLASS | VIT,
    ("ssd-table8", "cifar100", "resnet18"): RESNET18 | FULL_CLASS,
    ("ssd-table8", "cifar100", "vit_b16"): _ssd(5.0, 1.0) | FULL_CLASS | VIT,
    ("ssd-table9", "cifar20", "resnet18"): RESNET18 | FULL_CLASS,
    ("ssd-table9", "cifar20", "vit_b16"): _ssd(5.0, 1.0) | FULL_CLASS | VIT,
    **{("zero-shot-table1", name, "allcnn"): dict(values) for name, values in ZERO_SHOT.items()},
    **{
        ("zero-shot-table2", name, model): dict(values)
        for name, values in ZERO_SHOT.items()
        for model in ("lenet", "resnet9")
    },
    ("zero-shot-table4", "cifar10", "allcnn"): dict.fromkeys(("amnesiac", "bad_teacher", "fisher")),
    ("zero-shot-table6", "cifar10", "allcnn"): {"gkt": ZERO_SHOT["cifar10"]["gkt"]},
    ("zero-shot-figure9", "cifar10", "allcnn"): {"gkt": ZERO_SHOT["cifar10"]["gkt"]},
    **{
        (f"akbari-table{number}", "cifar10", "resnet18"): AKBARI | {"soft_relabeling": RELABELING}
        for number in (1, 2)
    },
    **{
        (f"akbari-table{number}", "celeba", "resnet18"): AKBARI | {"soft_relabeling": OF_FACES}
        for number in (3, 4)
    },
}
# The parts of SSD's table 1 have names of their own; Fisher's alpha is that of the code
SSD_TABLE_1 = {"ssd": RESNET18["ssd"], "fisher": {"alpha": 1e-6}}

PLANS = [(name, plan) for name in shipped() if name != "demo" for plan in load(name)]


def _expected(name: str, plan: Plan) -> dict[str, Values | None]:
    if name.startswith("ssd-table1"):
        batch_size = 64 if plan.task == "sub_class" else 128
        return SSD_TABLE_1 | {"ssd": SSD_TABLE_1["ssd"] | {"batch_size": batch_size}}
    return EXPECTED[name, plan.dataset, plan.model]


@pytest.mark.parametrize(
    ("name", "plan"), PLANS, ids=[f"{name}-{plan.dataset}-{plan.model}-{plan.task}" for name, plan in PLANS]
)
def test_a_shipped_plan_runs_the_values_of_its_paper(name: str, plan: Plan) -> None:
    assert plan.paper is not None
    assert name.startswith(plan.paper)
    rows = {m.name: list(published.searched(m, plan)) for m in plan.algorithms()}
    expected = _expected(name, plan)
    assert set(rows) == set(expected)
    for method in plan.algorithms():
        wanted = expected[method.name]
        if wanted is None:
            assert rows[method.name] == [], method.name
            continue
        [entry] = rows[method.name]
        values = build(method.Params, entry.params)
        assert {key: getattr(values, key) for key in wanted} == wanted, method.name
        assert (entry.regime, entry.preset_paper, entry.preset_differs) == ("published", plan.paper, "")


_OWN = """
name: own
dataset: cifar100@500
model: resnet18
task: full_class
methods: [ssd, boundary_shrink]
search: {forget: rocket}
benchmark: {forget: [rocket], beside: [finetune, neggrad_plus]%s}
"""


def _names(text: str) -> dict[str, list[tuple[str, str, str]]]:
    [plan] = parse(text)
    assert plan.benchmark is not None
    entries = [e for m in plan.algorithms() for e in published.searched(m, plan)]
    entries += list(published.beside(_method("neggrad_plus"), plan))
    rows: dict[str, list[tuple[str, str, str]]] = {}
    for e in entries:
        rows.setdefault(e.method.name, []).append((e.preset, e.preset_paper, e.preset_differs))
    return rows


def _method(name: str) -> Any:
    from benchmarks.methods import methods

    return methods.get(name)


def test_a_users_plan_runs_the_nearest_and_says_what_is_not_the_same() -> None:
    assert _names(_OWN % "") == {
        "ssd": [("ssd_resnet18_full_class", "ssd", "")],
        "boundary_shrink": [("published", "boundary", "data set, network")],
        "neggrad_plus": [("rum", "rum", "")],
    }


def test_a_plan_names_presets() -> None:
    named = ", presets: {ssd: [ssd_pins, jit_vgg11_full_class], neggrad_plus: scrub}"
    assert _names(_OWN % named) == {
        "ssd": [("ssd_pins", "ssd", "data set"), ("jit_vgg11_full_class", "jit", "network")],
        "boundary_shrink": [("published", "boundary", "data set, network")],
        "neggrad_plus": [("scrub", "scrub", "data set")],
    }


def test_all_and_none_of_them() -> None:
    every = _names(_OWN % ", presets: all")
    assert len(every["ssd"]) == 5  # all that are for whole classes
    assert "ssd" not in _names(_OWN % ", presets: none")


@pytest.mark.parametrize(
    ("presets", "message"),
    [
        ("nearst", "write nearest, all, none, or names of presets per method"),
        ("{ssd: ssd_pin}", "unknown preset of ssd 'ssd_pin'; did you mean 'ssd_pins'"),
        ("{scrub: jit_random}", "presets of 'scrub', which is not among the methods"),
    ],
)
def test_unknown_presets_are_refused(presets: str, message: str) -> None:
    from search.errors import PlanError

    with pytest.raises(PlanError, match=message):
        parse(_OWN % f", presets: {presets}")


def test_an_unknown_paper_is_refused() -> None:
    from search.errors import PlanError

    with pytest.raises(PlanError, match="unknown paper 'sdd'; did you mean 'ssd'"):
        parse("paper: sdd" + _OWN % "")
