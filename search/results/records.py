"""The record of every run, next to its tables: `_runs/RUN.yaml`."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from analysis.monitoring.files import FOLDER
from analysis.results.store import reason
from search.errors import ResultsError
from search.results.storage import store_at


def records(results: Path | str, stem: str | None = None) -> list[dict[str, Any]]:
    """The records of runs named `STEM-DIGEST`, or of all runs, the newest last.

    Files that are not records, and records of versions without an identity, are left out.

    Raises:
        ResultsError: when they cannot be read.
    """
    store = store_at(results)
    runs = re.compile(rf"{FOLDER}/{'.+' if stem is None else re.escape(stem)}-[0-9a-f]{{8}}(\.[^/]+)?\.yaml")
    contents = []
    try:
        written = store.files(FOLDER)
        for file in sorted(written, key=lambda name: written[name]):
            if runs.fullmatch(file):
                with suppress(yaml.YAMLError, ValueError, RecursionError, FileNotFoundError):
                    contents.append(yaml.safe_load(store.read(file).to_pybytes()))
    except OSError as error:
        raise ResultsError(f"cannot read the results in {store}: {reason(error)}") from error
    return [content for content in contents if _is_record(content)]


def _is_record(content: Any) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("run_id"), str):
        return False
    identity, studies = content.get("identity"), content.get("studies")
    if not isinstance(identity, dict) or not isinstance(studies, dict):
        return False
    return all(isinstance(study, dict) for study in studies.values())
