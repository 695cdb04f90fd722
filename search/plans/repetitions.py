"""The repetitions of a benchmark: method seeds within draws of a forget set within original models."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.scenarios.scenario import Scenario
from search.plans import limits
from search.plans.plan import Plan


@dataclass(frozen=True)
class Repetition:
    """A repetition, which every line of a benchmark's result table runs once.

    Attributes:
        seed: Seed of the methods' randomness.
        tag: The end of the ids of its trials.
    """

    scenario: Scenario
    seed: int
    tag: str


def repetitions(plan: Plan) -> Iterator[Repetition]:
    """All repetitions of a plan's benchmark.

    Seeds are the outer loop, then draws, then originals, so that an interrupted benchmark has every method,
    and every draw and original before any second seed.
    """
    seeds = plan.benchmark.seeds if plan.benchmark else 0
    for number, scenario in itertools.product(range(1, seeds + 1), plan.benchmarked()):
        yield _repetition(plan, scenario, number)


def _repetition(plan: Plan, scenario: Scenario, number: int) -> Repetition:
    original = scenario.seed - plan.seed
    # Different seeds on every draw and original: retraining with the same seed would start from the same
    # weights, and the spread over draws would lack the random variation within each
    elsewhere = scenario.draw + limits.DRAWS * original
    marks = [f"draw{scenario.draw}"] * bool(scenario.draw) + [f"original{original}"] * bool(original)
    return Repetition(
        scenario,
        seed=plan.seed + number + limits.SEEDS * elsewhere,
        tag=".".join([str(number), *marks]),
    )
