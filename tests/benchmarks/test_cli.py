"""The commands `list datasets` and `decode`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import cli
from benchmarks.datasets import load
from benchmarks.errors import DataError
from search.cli import app
from tests.benchmarks.datasets.image_files import class_tree, truncated


def decode(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["decode", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    class_tree(tmp_path / "pets", {"a": 10, "b": 5})
    return tmp_path / "pets"


def test_data_sets_families_and_variants_are_listed() -> None:
    header, rows = cli.list_datasets()
    names = [row[0] for row in rows]
    assert all(len(row) == len(header) for row in rows)
    assert names[-3:] == ["image_folder:<folder>", "import:<module>:<function>", "<data set>@<size>"]
    assert {"celeba", "fashion_mnist", "imagenet", "pins", "pins_published", "svhn"} <= set(names)
    tasks = {row[0]: row[3] for row in rows}
    assert (tasks["cifar20"], tasks["celeba"], tasks["mnist"]) == (["sub_class"], ["identities"], [])


def test_listing_looks_at_no_data() -> None:
    code = """
import sys
seen = []
sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event in ("open", "os.scandir") else None)
from benchmarks.cli import list_datasets
list_datasets()
sys.exit(any("/no/such/data" in path for path in seen) or not seen or "PIL" in sys.modules)
"""
    environment = {"UNLEARN_DATA": "/no/such/data", "PYTHONPATH": ":".join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_decoding_beforehand(pets) -> None:
    output = decode("image_folder:pets")
    assert output.splitlines() == [
        "image_folder:pets: 2 classes, 15 images: 12 for training and 3 for testing, a fixed fifth of each "
        "class",
        "image_folder:pets is decoded: 15 images, 0 that cannot be read left out",
    ]
    assert len(list((pets.parent / "decoded").glob("*.npy"))) == 1
    assert decode("image_folder:pets") == output


def test_images_that_are_left_out_are_listed(pets) -> None:
    truncated(pets / "a" / "x y.jpg")
    with pytest.raises(DataError, match="1 of the 16 images"):
        decode("image_folder:pets")
    output = decode("image_folder:pets", "--skip-unreadable").splitlines()
    assert output[1].startswith("left out: a/x y.jpg (")
    assert output[2].endswith("is decoded: 15 images, 1 that cannot be read left out")
    images = load("image_folder:pets")
    assert len(images.train) + len(images.test) == 15


def test_a_data_set_without_image_files_needs_no_decoding() -> None:
    with pytest.raises(DataError, match="'digits' has no image files that are decoded beforehand"):
        decode("digits")
