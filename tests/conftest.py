"""Shared fixtures. Heavy imports stay inside them, so that tests of light code start fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import browser, visit  # noqa: F401  fixtures of every test
from tests.real_data import RESTORE
from tests.real_data import restored as real_data_folder
from tests.seconds import pytest_configure  # noqa: F401  a hook

if TYPE_CHECKING:
    from benchmarks import Prepared
    from benchmarks.training.recipes import Recipe

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: small models are fastest on one thread
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (otherwise all other work takes precedence over trials)
# Workers import functions of the tests, whose folder is not part of an editable install
_ROOT = str(Path(__file__).parents[1])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH")]))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put files that start processes first if files are divided among workers, so that workers end together.

    The long files of this folder are the very first; those that share a session follow, file after file.
    """
    if hasattr(config, "workerinput"):
        first = {item.path for item in items if _starts_processes(item)}
        here = Path(__file__).parent
        items.sort(key=lambda item: (item.path not in first, item.path.parent != here))


def _starts_processes(item: pytest.Item) -> bool:
    marked = item.get_closest_marker("several_nodes") or item.get_closest_marker("flaky")
    return marked is not None or "ray_session" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session", autouse=True)
def data_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder for the whole run, so that tests of all workers share the models they train."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder /= "data"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNLEARN_DATA", str(folder))
        yield folder


@pytest.fixture(scope="session")
def short() -> Recipe:
    """A recipe that takes a second and still gives a digits model to unlearn from."""
    from benchmarks.training.recipes import Recipe

    return Recipe(epochs=6)


@pytest.fixture(scope="session")
def digits(short: Recipe) -> Prepared:
    """The scenario digits/cnn2/full_class/8, trained by the short recipe."""
    from benchmarks import Scenario, prepare

    return prepare(Scenario("digits", "cnn2", "full_class", "8"), recipe=short)


@pytest.fixture(scope="session")
def restored() -> Path:
    """A folder with the real files of MNIST, CIFAR-10 and CIFAR-100; skips if they are not available."""
    folder = real_data_folder()
    if folder is None:
        pytest.skip(f"the stored images are missing: {RESTORE} does not exist")
    return folder


@pytest.fixture
def real_data(restored: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder set to the real files; the cache of loaded data is cleared afterwards."""
    from benchmarks.datasets import loading

    monkeypatch.setenv("UNLEARN_DATA", str(restored))
    yield restored
    loading.load_source.cache_clear()
