"""Starts of a search: points to try first, and trials of other searches that its sampler learns from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from search.studies.spaces import Space

if TYPE_CHECKING:
    import optuna

ORIGIN = "started_from"  # a column of the trials table, and an attribute of the trials that are enqueued


@dataclass(frozen=True)
class Point:
    """A point that is tried first, as an ordinary trial.

    Attributes:
        values: The varied hyper-parameters.
        origin: The source of the point; stored in the row.
    """

    values: Mapping[str, Any]
    origin: str


@dataclass(frozen=True)
class Elsewhere:
    """A trial that was run elsewhere: the sampler learns from it, and it never becomes a row.

    Attributes:
        objective: The measured parts of the objective.
        forget: The forget set that it was measured on; "" if it is not known.
    """

    values: Mapping[str, Any]
    objective: tuple[float, ...]
    forget: str = ""


@dataclass(frozen=True)
class Starts:
    """The starts of the searches of a method."""

    points: tuple[Point, ...] = ()
    history: tuple[Elsewhere, ...] = ()

    @property
    def identity(self) -> str:
        """A digest of the values and results, which does not depend on their source; "" for no starts."""
        content = [
            [dict(point.values) for point in self.points],
            [[dict(trial.values), trial.objective, trial.forget] for trial in self.history],
        ]
        if not any(content):
            return ""
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
        counts = {"points": len(self.points), "trials as history": len(self.history)}
        return f"{' and '.join(f'{n} {what}' for what, n in counts.items() if n)} {digest}"

    def on(self, forget: str) -> Starts:
        """The starts of the search on a forget set."""
        known = tuple(trial for trial in self.history if trial.forget in ("", forget))
        return Starts(self.points, known)

    @property
    def origin(self) -> str:
        """The origin of rows that the sampler draws: the history that it has learned from, or ""."""
        return self.identity if self.history else ""

    def learned(self, space: Space) -> list[FrozenTrial]:
        """The history as trials of a study."""
        return [
            create_trial(
                state=TrialState.COMPLETE,
                values=trial.objective,
                params=dict(trial.values),
                distributions=dict(space.varied),
            )
            for trial in self.history
        ]

    def enqueue(self, study: optuna.Study, tried: Iterable[Mapping[str, Any]]) -> None:
        """Queue the points that were not tried yet.

        Args:
            tried: Rows of the study; a row that came from a point has its origin.
        """
        done = [row for row in tried if row.get(ORIGIN)]
        for point in self.points:
            if not any(all(row.get(f"param_{k}") == v for k, v in point.values.items()) for row in done):
                study.enqueue_trial(dict(point.values), user_attrs={ORIGIN: point.origin})


NOTHING = Starts()
