"""The user's trained models: what identifies them, and how they take pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.errors import DataError
from benchmarks.weights.checkpoint import Checkpoint, Preprocessing


@pytest.fixture
def file(tmp_path: Path):
    path = tmp_path / "mine.pt"
    path.write_bytes(b"some weights")
    return path


def test_an_id_is_the_content_and_never_the_path(file, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pt"
    copy.write_bytes(file.read_bytes())
    before = Checkpoint(file).id
    assert before == Checkpoint(copy).id
    copy.write_bytes(b"other weight")
    assert Checkpoint(copy).id != before
    assert before.startswith("own-")


def test_an_id_holds_what_else_decides_the_outputs(file) -> None:
    given = [
        Checkpoint(file),
        Checkpoint(file, "ema"),
        Checkpoint(file, None, Preprocessing.of(scale=255)),
        Checkpoint(file, None, Preprocessing.of(mean=0.5)),
        Checkpoint(file, None, Preprocessing.of(mean=0.5, std=0.2)),
    ]
    assert len({checkpoint.id for checkpoint in given}) == len(given)


def test_the_same_preprocessing_has_a_single_spelling(file) -> None:
    assert Preprocessing.of() is None
    assert Preprocessing.of(mean=[0.5, 0.5, 0.5], std=1) == Preprocessing.of(mean=0.5)
    assert Preprocessing.of(mean=127.5, std=255, scale=255) == Preprocessing.of(mean=0.5)
    assert Preprocessing.of(scale=255) == Preprocessing((0.0,), (1 / 255,))
    assert Preprocessing.of(scale=1) == Preprocessing((0.0,), (1.0,))


@pytest.mark.parametrize(
    "values", [{"std": 0}, {"std": [1, -1]}, {"mean": float("nan")}, {"std": float("inf")}]
)
def test_values_that_normalise_nothing_are_refused(values) -> None:
    with pytest.raises(DataError, match="must be finite, and every std more than 0"):
        Preprocessing.of(**values)


def test_values_are_for_all_channels_or_each() -> None:
    assert Preprocessing((0.5,), (1.0, 2.0)).per_channel(2) == ((0.5, 0.5), (1.0, 2.0))
    with pytest.raises(DataError, match="mean has 3 values, and the images have 1 channel; give one"):
        Preprocessing.of(mean=[1, 2, 3]).per_channel(1)


def test_a_file_that_cannot_be_read_has_no_id(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.pt cannot be read: No such file"):
        _ = Checkpoint(tmp_path / "none.pt").id
