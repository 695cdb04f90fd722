"""Prints pip constraints that pin the project's dependencies to the lowest versions that it permits.

python .ci/lowest.py > lowest.txt; PIP_CONSTRAINT=lowest.txt make test

Only `project.dependencies` are pinned; tools of the tests, and what the dependencies need, are the newest.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def lowest(requirements: list[str]) -> list[str]:
    """`NAME==VERSION` for every requirement; one without a lower bound is left out."""
    bounds = [re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*>=\s*([\w.]+)", text) for text in requirements]
    return [f"{bound[1]}=={bound[2]}" for bound in bounds if bound]


if __name__ == "__main__":
    print("\n".join(lowest(tomllib.loads(PROJECT.read_text())["project"]["dependencies"])))
