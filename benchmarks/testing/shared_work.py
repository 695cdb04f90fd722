"""The check that shared values of a method do not change results, and depend only on declared values."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from benchmarks.hyperparameters import build, declared
from benchmarks.methods import Method
from benchmarks.trial.shared_work import Key, Work, Works, tensors


class Run(Protocol):
    """Runs a trial of the method with the shared seed 1 and returns the weights that it ends with."""

    def __call__(
        self, values: Mapping[str, Any], seed: int, works: Works, other: bool = False
    ) -> Sequence[torch.Tensor]:
        """`other`: another forget set of the same original model, if there is one."""


def problem(
    method: Method, params: Mapping[str, Any], run: Run, works: Works, weights: Sequence[torch.Tensor]
) -> str:
    """The problem with the shared values of a method; "" if there is none.

    Args:
        works: The shared values of a trial with `params` and seed 1.
        weights: The final weights of that trial, and of a trial that does not share values.
    """
    moved, apart = _moved(method, params), Works()
    expected = run(moved, 2, apart)
    if names := _differing(works.known, apart.known):
        return (
            f"{names} depends on a searched value or on the trial's seed; name the value in "
            "`depends_on`, or draw from the generator that the computation is given"
        )
    before = copy.deepcopy(works.known)
    again, other = run(params, 1, works), run(moved, 2, works)
    if names := _differing(before, works.known):
        return f"{names} is changed in place; change a copy of it"
    if not _same([*again, *other], [*weights, *expected]):
        names = " or ".join(f"'{key.name}'" for key in works.known)
        return f"{names} gives other weights when another trial has computed it"
    of_others = Works()
    run(params, 1, of_others, other=True)
    if names := _differing(works.known, of_others.known):
        return f"{names} depends on the forget set; use `once` instead of `once_per_model`"
    return ""


def _moved(method: Method, params: Mapping[str, Any]) -> dict[str, Any]:
    """Other values of all searched hyper-parameters: half-way to the lower end, which is rarely slower."""
    values = dataclasses.asdict(build(method.Params, params))
    for p in declared(method.Params):
        if p.searched and p.low is not None:
            middle = (values[p.name] + p.low) / 2
            values[p.name] = round(middle) if p.kind is int else middle
    return values


def _differing(first: Mapping[Key, Work], second: Mapping[Key, Work]) -> str:
    """Names of the values that both have and that differ, for a message."""
    both = [(key.name, work.value, second[key].value) for key, work in first.items() if key in second]
    return " and ".join(f"'{name}'" for name, a, b in both if not _same(list(tensors(a)), list(tensors(b))))


def _same(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
