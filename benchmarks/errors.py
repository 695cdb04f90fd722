"""Errors for users: one line with the problem, the valid values and the action to take."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 2000  # characters of a message


class BenchmarkError(Exception):
    """Base of every error that a user of this package can cause and fix."""


class UnknownName(BenchmarkError):
    """A name that is not registered; the message lists the nearest valid names."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        super().__init__(kind, name, tuple(valid))  # as given, so that it survives pickling

    def __str__(self) -> str:
        kind, name, valid = self.args
        return f"unknown {kind} '{name}'; {suggest(name, valid)}"


class InvalidScenario(BenchmarkError):
    """A combination of data set, model, task and forget set that makes no sense."""


class InvalidParameters(BenchmarkError):
    """Hyper-parameter values that a method does not have or does not take."""


class DataError(BenchmarkError):
    """A data set that is missing, corrupt or cannot be downloaded."""


class TrainingError(BenchmarkError):
    """A training whose loss is no longer finite."""


class CacheError(BenchmarkError):
    """A model in the cache that does not match its recorded checksum or description."""


class AccessDenied(BenchmarkError):
    """A method read data beyond the access that it declares."""


class NotRecorded(BenchmarkError):
    """A method needs a training run that recorded its steps, and the scenario has none."""


class NotRetrained(BenchmarkError):
    """A metric needs a retrained model, and the scenario has none."""


class UnsuitableModel(BenchmarkError):
    """A network that cannot be trained here, or without a part that a method works on."""


def shown(name: str) -> str:
    """A name in a message: characters that cannot be printed and bytes that are not text are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def suggest(name: str, valid: Iterable[str]) -> str:
    """The end of an unknown-name message: the nearest names, or all of them if none is near.

    Case and punctuation are ignored: `CIFAR-10` is cifar10, and no other name is near it.
    """
    names, letters = list(valid), _letters(name)
    alike: dict[str, list[str]] = {}
    for known in names:
        alike.setdefault(_letters(known), []).append(known)
    close = difflib.get_close_matches(letters, alike, n=3, cutoff=0.6) if letters else []
    best = close[:1] if letters in alike else close
    near = [known for each in best for known in alike[each]]
    if near:
        return f"did you mean {' or '.join(repr(n) for n in near)}?"
    listed = ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
    return f"valid: {listed}"


def _letters(name: str) -> str:
    """The letters and digits of a name in lower case."""
    return "".join(c for c in name.casefold() if c.isalnum())


def printable(text: str) -> str:
    """A message that is safe to print: on one line, without control characters, and not too long."""
    line = shown(" ".join(part for part in map(str.strip, text.splitlines()) if part))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
