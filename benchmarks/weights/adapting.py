"""Conversion of weights with other names and shapes to those of a network."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import DataError
from benchmarks.weights.checkpoint import Preprocessing
from benchmarks.weights.files import few, read_sets

if TYPE_CHECKING:
    import torch
    from torch import nn

    from benchmarks.weights.checkpoint import Layout

    Weights = Mapping[str, torch.Tensor]

# Parts of names that torch's wrappers insert, at any position
_WRAPPER = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_COUNTER = "n_averaged"  # a counter of torch's AveragedModel, stored with its weights
_COUNTED = ".num_batches_tracked"  # of batch norm; older files lack it, and it has no effect


@dataclass(frozen=True)
class Adapted:
    """Weights that fit a network.

    Attributes:
        weights: By the network's names, with its types.
        preprocessing: The values of a normalising layer before the network, if the file contains them.
        notes: The changes that were made, for messages.
        names: The network's names -> those in the file; some may be missing.
        other_tensors: Other tensors of the file, by their names there.
    """

    weights: dict[str, torch.Tensor]
    preprocessing: Preprocessing | None
    notes: tuple[str, ...]
    names: Mapping[str, str]
    other_tensors: Weights

    def as_in_file(self, weights: Weights) -> dict[str, torch.Tensor]:
        """Other weights of the same network in the format of the file, for the code that wrote it."""
        return {**self.other_tensors, **{theirs: weights[ours] for ours, theirs in self.names.items()}}


@dataclass(frozen=True)
class _Renamed:
    """Other names for a set of weights: new name -> name in the file."""

    names: Mapping[str, str]
    notes: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None

    def of(self, weights: Weights) -> dict[str, torch.Tensor]:
        return {name: weights[theirs] for name, theirs in self.names.items()}


def fit(network: nn.Module, weights: Weights) -> None:
    """Load weights into a network, whose names and shapes they must have.

    Raises:
        DataError: with the first layers that do not fit; the network is then unchanged.
    """
    problems = _problems(network.state_dict(), weights)
    if problems:
        raise DataError(problems)
    network.load_state_dict(dict(weights))


def adapted(network: nn.Module, path: Path, entry: str | None, layouts: Iterable[Layout]) -> Adapted:
    """Load the weights in a file that fit a network, and return them.

    Args:
        entry: The name of a set of weights in the file; None: the only set that fits.
        layouts: Names of the network's layers in other code.

    Raises:
        DataError: one line with the file and the reason, or the entries to choose from.
    """
    sets, layouts = read_sets(path), list(layouts)
    if entry is not None and entry not in sets:
        raise DataError(f"{path} has no weights under '{entry}'; it contains {_described(sets)}")
    chosen = sets if entry is None else {entry: sets[entry]}
    fitting: dict[str, tuple[_Renamed, dict[str, torch.Tensor]]] = {}
    reasons: dict[str, str] = {}
    for name, weights in chosen.items():
        renamed, whole, reasons[name] = _renamed(network, weights, layouts)
        if not reasons[name]:
            fitting[name] = renamed, whole
    if not fitting:
        largest = max(
            chosen, key=lambda name: len(chosen[name])
        )  # the reason for the largest set is the most useful
        raise DataError(
            f"{path}{f', entry {largest!r}' if largest else ''}: {reasons[largest]}; for a network with "
            "other layers use 'timm:NAME' or 'import:MODULE:FUNCTION'"
        )
    if len(fitting) > 1:
        raise DataError(
            f"{path} contains several sets of weights that fit: {_described({n: sets[n] for n in fitting})}; "
            f"choose with 'checkpoint: {{file: {path}, entry: {next(filter(None, fitting))}}}'"
        )
    [(name, (renamed, whole))] = fitting.items()
    picked = [f"took the weights under '{name}'"] if name and entry is None else []
    expected = network.state_dict()
    others = {value.dtype for name, value in whole.items() if value.dtype != expected[name].dtype}
    cast = [f"read {' and '.join(sorted(str(t).removeprefix('torch.') for t in others))} as float32"]
    fit(network, whole)
    notes = (*picked, *renamed.notes, *(cast if others else []))
    taken = set(renamed.names.values())
    other_tensors = {theirs: value for theirs, value in sets[name].items() if theirs not in taken}
    return Adapted(network.state_dict(), renamed.preprocessing, notes, renamed.names, other_tensors)


def not_finite(weights: Weights) -> list[str]:
    """The names of tensors that contain NaN or infinite values."""
    return [name for name, value in weights.items() if not value.isfinite().all()]


def _described(sets: Mapping[str, Weights]) -> str:
    shown = [f"{f'{name!r}' if name else 'the file itself'} ({len(s)} tensors)" for name, s in sets.items()]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _problems(expected: Weights, weights: Weights) -> str:
    """The reason why weights do not fit; empty if they fit."""
    problems = {
        "of another shape": [
            f"{name} {tuple(weights[name].shape)} for {tuple(value.shape)}"
            for name, value in expected.items()
            if name in weights and weights[name].shape != value.shape
        ],
        "of another type": [
            f"{name} {weights[name].dtype} for {value.dtype}"
            for name, value in expected.items()
            if name in weights and weights[name].is_floating_point() != value.is_floating_point()
        ],
        "missing": [name for name in expected if name not in weights],
        "unknown to the network": [name for name in weights if name not in expected],
    }
    listed = "; ".join(f"{len(names)} {what}: {few(names)}" for what, names in problems.items() if names)
    return listed and f"the weights do not fit the network of {len(expected)} tensors; {listed}"


def _renamed(
    network: nn.Module, weights: Weights, layouts: list[Layout]
) -> tuple[_Renamed, dict[str, torch.Tensor], str]:
    """The best renaming to the network's names, and the reason why it does not fit; empty if it fits."""
    expected = network.state_dict()
    closest = _Renamed({name: name for name in weights})
    for renamed in _renamings(weights, expected, layouts):
        given = renamed.of(weights)
        whole = {**given, **dict(_implied(expected, given))}
        if whole.keys() == expected.keys():
            return renamed, whole, _problems(expected, whole)
        if len(whole.keys() & expected.keys()) > len(closest.names.keys() & expected.keys()):
            closest = renamed
    given = closest.of(weights)
    return closest, given, _problems(expected, given)


def _renamings(weights: Weights, expected: Weights, layouts: list[Layout]) -> Iterator[_Renamed]:
    """Candidates for renaming the weights, the nearest to the names of the file first."""
    yield _Renamed({name: name for name in weights})
    named = {_WRAPPER.sub("", name): name for name in weights if name != _COUNTER}
    wrappers = sorted({part for name in weights for part in _WRAPPER.findall(name)})
    notes = [f"took {part!r} out of its names" for part in wrappers]
    notes += [f"left out {_COUNTER!r}"] if _COUNTER in weights else []
    for whole in (_Renamed(named), *_without_normalisation(named, weights)):
        theirs, ours = _front(whole.names), _front(expected)
        all_notes = [*notes, *whole.notes]
        yield _Renamed(
            {ours + name.removeprefix(theirs): file for name, file in whole.names.items()},
            (*all_notes, *_moved(theirs, ours)),
            whole.preprocessing,
        )
        for layout in layouts:
            parts = {name: name.removeprefix(theirs).rpartition(".") for name in whole.names}
            if all(layer in layout for layer, _, _ in parts.values()):
                first = next(iter(parts.values()))[0]
                yield _Renamed(
                    {f"{layout[parts[n][0]]}.{parts[n][2]}": file for n, file in whole.names.items()},
                    (
                        *all_notes,
                        *_moved(theirs, ""),
                        f"matched its layers ('{first}', ...) with the network's",
                    ),
                    whole.preprocessing,
                )


def _front(names: Iterable[str]) -> str:
    """The common prefix of all names, in whole parts; the last part of a name is excluded."""
    parts = zip(*(name.split(".")[:-1] for name in names), strict=False)
    shared = itertools.takewhile(lambda same: len(set(same)) == 1, parts)
    return "".join(f"{same[0]}." for same in shared)


def _moved(theirs: str, ours: str) -> list[str]:
    if theirs == ours:
        return []
    if theirs.endswith(ours):
        return [f"took {theirs.removesuffix(ours)!r} off every name"]
    if ours.endswith(theirs):
        return [f"put {ours.removesuffix(theirs)!r} before every name"]
    return [f"read {theirs!r} before every name as {ours!r}"]


def _without_normalisation(names: Mapping[str, str], weights: Weights) -> Iterator[_Renamed]:
    """The names without the mean and std of a normalising layer before the network."""
    for name in names:
        layer, _, leaf = name.rpartition(".")
        both = {f"{layer}.mean", f"{layer}.std"}
        if leaf != "mean" or not layer or {n for n in names if n.startswith(f"{layer}.")} != both:
            continue
        mean, std = (weights[names[f"{layer}.{part}"]].flatten().tolist() for part in ("mean", "std"))
        unit = 255 if max(mean) > 1 else 1
        yield _Renamed(
            {n: file for n, file in names.items() if n not in both},
            (f"took its layer '{layer}' for the preprocessing: mean {_short(mean)}, std {_short(std)}",),
            Preprocessing.of(mean, std, 255 if unit == 255 else 1),
        )


def _short(values: Iterable[float]) -> str:
    return f"[{', '.join(f'{value:.4g}' for value in values)}]"


def _implied(expected: Weights, given: Weights) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors that a file may lack: duplicates of tied layers, and batch norm's counters."""
    present = {expected[name].data_ptr(): name for name in given if name in expected}
    for name, value in expected.items():
        if name in given:
            continue
        twin = present.get(value.data_ptr()) if value.numel() else None
        if twin is not None and expected[twin].shape == value.shape:
            yield name, given[twin]
        elif name.endswith(_COUNTED):
            yield name, value
