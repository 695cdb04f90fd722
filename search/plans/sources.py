"""Sources of plans: files, and plans that ship with the package."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from analysis.published.tables import plain_name, printed_tables
from benchmarks.errors import suggest
from search.errors import PlanError
from search.plans import limits

PLANS = Path(__file__).parent / "shipped"  # those that ship with the package


def shipped() -> dict[str, Path]:
    """The plans that ship with the package, by name."""
    return {path.stem: path for path in sorted(PLANS.glob("*.yaml"))}


def summary(path: Path) -> str:
    """The summary of a plan, from its first line."""
    return path.read_text().splitlines()[0].removeprefix("# ")


def is_plan(name: str) -> bool:
    """Whether a name is that of a file or of a plan that ships with the package."""
    with suppress(OSError):  # a name that is too long for a file
        if Path(name).is_file():
            return True
    return plain_name(name) in shipped()


def source(plan: str | Path) -> Path:
    """The file of a plan: the file of that path, or a plan that ships with the package.

    Raises:
        PlanError: if there is neither; for a published table without a separate plan, with the plan that
            contains it.
    """
    path = Path(plan)
    with suppress(OSError):  # a name that is too long for a file
        if path.exists():
            return path
    name = plain_name(str(plan))
    if name in shipped():
        return shipped()[name]
    if name in printed_tables():
        raise PlanError(printed_tables()[name].location)
    raise PlanError(
        f"there is no plan '{plan}': no such file, and {suggest(name, [*shipped(), *printed_tables()])}"
    )


def text_of(plan: str | Path) -> str:
    """The text of a plan's file.

    Raises:
        PlanError: if it cannot be read, or is too large for a plan.
    """
    path = source(plan)
    try:
        with path.open("rb") as file:
            content = file.read(limits.BYTES + 1)
        if len(content) > limits.BYTES:
            raise PlanError(f"{path} is larger than a plan can be ({limits.BYTES // 1024} KiB)")
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path} cannot be read: {error}") from error
