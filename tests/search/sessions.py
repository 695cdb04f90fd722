"""Sessions of the stages of a plan, for tests."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster.slots import Slots
from search.engine.placement import Learned
from search.engine.preparation import Shared
from search.plans.plan import Plan
from search.stages.session import Session
from search.stages.setting import Setting


def quiet_session(
    plan: Plan,
    results: Path,
    slots: Slots,
    shared: Shared | None = None,
    console: Console | None = None,
    **setting: Any,
) -> Session:
    """A session that prints nothing and does not start or stop Ray.

    Args:
        setting: Further arguments of `Setting`.
    """
    return Session(
        Setting(plan, results, slots, **setting),
        Learned(slots.shares, print),
        console or Console(quiet=True),
        ExitStack(),
        shared or Shared(),
    )
