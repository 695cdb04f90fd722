"""Thousands of plans with mistakes: each is read, or refused in a line that a terminal can show."""

from __future__ import annotations

import random
import re
import string
from pathlib import Path

import pytest
import yaml

from search.errors import PlanError
from search.plans import identity
from search.plans.files import parse
from search.plans.identity import run_id
from search.plans.sources import PLANS

ROOT = Path(__file__).parents[2]
COUNT = 3000
LOADER, DUMPER = getattr(yaml, "CSafeLoader", yaml.SafeLoader), getattr(yaml, "CSafeDumper", yaml.SafeDumper)
# What PyYAML, Python, a terminal or a calculation may stumble over
SCALARS = (
    """
0|1|-1|8|08|3+8|8+3|10%|1e300%|0x|0xfff|.|=|y|n|yes|no|null|~|2025-13-45|2025-01-01|1:59:59|1e5|1e-5|1e-310|1e20
50.0|1e400|.inf|-.inf|.nan|99999999999999999999|20251125123456|100000000000|0.5|-0.5|1_000|'8'|"8"|"\\e[31m"|"\\ud800"
"\\0"|"\\n"|[]|{}|[8]|[8,8]|[[8]]|[1e-5,1e-1]|[3+8,8+3]|{a: 1}|{jit: {}}|{jit: {lr: 1e-3}}|{H100: 0.25}|*x|&x
!!int|!!python/object:x|@|`|%|&|*|?|-|:|#|>|all|auto|digits|digits@0500|digits@100@50|cnn2|cnn2@016|cnn2@99999|vgg11
image_folder:x|timm:resnet1888|import:os:system|random|sequence|identities|sub_class|full_class|3>8|3>3|30%|rocket
jit|salun|finetune|retrain|original|gap|pareto|median|halving|bfloat16|true|false|mia_gap|é|\u202e
""".strip()
    .replace("\n", "|")
    .split("|")
)
LONG = ["9" * 5000, "a" * 3000, "8+" * 3000 + "8", "[" * 100, "{a: " * 100, "a@" * 150, "../" * 2000]


def examples() -> list[str]:
    """The shipped plans, those in the docs, and a plan with every section."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = [b for page in pages for b in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]
    whole = """
name: whole
dataset: digits
model: [cnn2, cnn2@16]
task: full_class
methods: [jit, finetune, salun]
seed: 1
scale: 0.5
eval_limit: 200
training: {epochs: 3, batch_size: 64, max_lr: 0.1, precision: float32}
search:
  forget: [3, "8"]
  trials: 10
  objective: gap
  space: {jit: {lr: [1e-5, 1e-1], n_samples: 50}, finetune: {epochs: [1, 3]}}
benchmark: {forget: [3, 8+9], seeds: 2, beside: [amnesiac], metrics: [mia_gap], presets: all}
resources: {workers: 2, cpus_per_trial: 1, gpus_per_trial: {H100: 0.25, cpu: 0}, trial_timeout: 60}
"""
    counted = (
        whole.replace("full_class", "random").replace('[3, "8"]', "[100, 200]").replace("[3, 8+9]", "5%")
    )
    weights = f"checkpoint: {{file: {__file__}, entry: net, mean: [0.5], std: 0.25, scale: 255}}\n"
    taken = f"{whole}{weights}retrained: {__file__}\n".replace('[3, "8"]', "3").replace("[3, 8+9]", "3")
    return [*(path.read_text() for path in PLANS.glob("*.yaml")), *shown, *[whole, counted, taken] * 8]


def scalar(rng: random.Random) -> str:
    return rng.choice(LONG) if rng.random() < 0.02 else rng.choice(SCALARS)


def mutated_text(text: str, rng: random.Random) -> str:
    """Characters, lines and values changed, doubled or left out."""
    for _ in range(rng.choice([1, 1, 1, 2])):
        at = rng.randrange(len(text))
        end = min(len(text), at + rng.randint(1, 8))
        lines = text.splitlines(keepends=True)
        values = list(re.finditer(r"(?<=[:\[,] )[^\s,\]}]+", text)) or list(re.finditer(r"\S+", text))
        value = rng.choice(values)
        odd = rng.choice([*string.printable, "\x1b", "\x00", "\u202e", "\ud800", "\x85", "é"])
        text = rng.choice(
            [
                text[:at] + text[end:],
                text[:at] + odd + text[at:],
                text[:at] + text[at:end] * 2 + text[end:],
                "".join(rng.sample(lines, len(lines))),
                text + rng.choice(lines),
                *[text[: value.start()] + scalar(rng) + text[value.end() :]] * 6,
            ]
        )
    return text


def mutated_nodes(text: str, rng: random.Random) -> str:
    """A value anywhere in the document replaced, left out or moved."""
    content = yaml.load(text, Loader=LOADER)
    for _ in range(rng.choice([1, 1, 1, 2])):
        holder = content
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = rng.choice(keys)
            inner = holder[key]
            if isinstance(inner, (dict, list)) and inner and rng.random() < 0.7:
                holder = inner
                continue
            break
        choice = rng.random()
        if choice < 0.7:
            holder[key] = rng.choice([scalar(rng), rng.randint(-5, 10**14), rng.random(), None, True, [], {}])
        elif choice < 0.85 and len(holder) > 1:
            del holder[key]
        elif isinstance(holder, dict):
            holder[scalar(rng)] = inner
        else:
            holder.extend([inner, scalar(rng)])
        if not content:
            break
    return dumped(content)


def dumped(content: object) -> str:
    return str(yaml.dump(content, Dumper=DUMPER, allow_unicode=True, sort_keys=False))


def test_every_mutated_plan_is_read_or_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "data_id", lambda plan: plan.dataset)  # most images are not on this machine
    plans, rng = examples(), random.Random(13)
    accepted = refused = 0
    for number in range(COUNT):
        example = rng.choice(plans)
        text = mutated_text(example, rng) if number % 2 else mutated_nodes(example, rng)
        try:
            read = parse(text, "p.yaml", rng.choice([None, None, 0.01]), tell=single_line)
        except PlanError as error:
            refused += 1
            single_line(str(error))
            continue
        accepted += 1
        for plan in read[:2]:
            assert plan.scenarios()
            assert plan.recipe().epochs >= 1
            assert run_id(plan, "search") != run_id(plan, "benchmark")
            again = parse(dumped(plan.model_dump(mode="json", exclude={"scale"})), "p.yaml")
            assert again == [plan.model_copy(update={"scale": 1.0})], "what was read stands for itself"
    assert accepted > COUNT / 10
    assert refused > COUNT / 10


def single_line(message: str) -> None:
    assert message.startswith("p.yaml"), ascii(message)
    assert message.isprintable(), ascii(message)
    assert len(message) < 3000
