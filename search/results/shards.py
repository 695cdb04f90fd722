"""Shards: the parts of a plan's work that are done by different drivers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from search.errors import PlanError

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """The i-th of n parts, counted from 1; 1/1 is everything."""

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def whole(self) -> bool:
        return self.count == 1

    def take(self, items: Sequence[T]) -> list[T]:
        """The pieces of a plan's work that belong to it: every n-th, so that no piece has two shards."""
        return list(items[self.index - 1 :: self.count])

    def overlaps(self, other: Shard) -> bool:
        """Whether two drivers could do the same piece, as with shards of different divisions."""
        return self.count != other.count or self.index == other.index


WHOLE = Shard()


def parse(text: str) -> Shard:
    """The shard of a text such as `2/4`.

    Raises:
        PlanError: for anything but two numbers with 1 <= i <= n.
    """
    numbers = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    shard = Shard(*map(int, numbers.groups())) if numbers else None
    if shard is None or not 1 <= shard.index <= shard.count:
        raise PlanError(
            f"'--shard {text}' is not a part of a plan; write i/n, such as 1/4 for the first of four"
        )
    return shard
