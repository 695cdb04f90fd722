"""Files that list the images to forget: what a line may be, and every mistake with its line."""

from __future__ import annotations

import hashlib
import pickle
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import DataSource, datasets, load
from benchmarks.errors import InvalidScenario
from benchmarks.scenarios.scenario import Scenario
from benchmarks.scenarios.splits import validation
from tests.benchmarks.datasets.image_files import class_tree, picture, truncated


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(*lines: object) -> str:
    Path("ids.txt").write_text("".join(f"{line}\n" for line in lines))
    return "file:ids.txt"


def digits(*lines: object, **more: int) -> Scenario:
    return Scenario("digits", "cnn2", "random", listed(*lines), **more)


def test_indices_are_forgotten_and_named_by_their_content(folder: Path) -> None:
    scenario = digits("# a request", 5, "", "  17 ", 3)
    assert scenario.images == (3, 5, 17)
    digest = hashlib.sha256(struct.pack("<3q", 3, 5, 17)).hexdigest()
    assert scenario.forget == f"ids-3-{digest[:12]}"
    assert scenario.key == f"digits/cnn2/random/{scenario.forget}/seed0"
    other = folder / "elsewhere.txt"
    other.write_bytes(b"\xef\xbb\xbf17\r\n5\r\n3")
    assert Scenario("digits", "cnn2", "random", f"file:{other}").key == scenario.key
    assert digits(3, 5, 16).key != scenario.key
    given = Scenario("digits", "cnn2", "random", "", images=(17, 3, 5))
    assert (given, given.images) == (scenario, scenario.images)


def test_a_worker_needs_no_file(folder: Path) -> None:
    scenario = digits(1, 2)
    Path("ids.txt").unlink()
    copied = pickle.loads(pickle.dumps(scenario))
    assert copied.split(load("digits")).forget_train.tolist() == [1, 2]


def test_all_listed_images_are_trained_on_and_others_hold_validation(folder: Path) -> None:
    data = load("digits")
    usual = validation(data)
    images = [*usual[:40], *np.setdiff1d(np.arange(1437), usual)[:20]]
    split = digits(*images).split(data)
    assert split.forget_train.tolist() == sorted(images)
    every = np.concatenate([split.retain_train, split.forget_train, split.validation])
    assert np.array_equal(np.sort(every), np.arange(1437))
    assert len(split.forget_validation) == len(split.forget_test) == 0
    assert np.array_equal(np.intersect1d(split.validation, usual), usual[40:])
    assert np.array_equal(np.bincount(data.train.y[split.validation]), np.bincount(data.train.y[usual]))
    elsewhere = digits(*images, seed=3).split(data)
    assert np.array_equal(elsewhere.forget_train, split.forget_train)
    assert np.array_equal(elsewhere.validation, split.validation)


def test_without_validation_images_among_them_the_split_is_as_usual(folder: Path) -> None:
    data = load("digits")
    images = np.setdiff1d(np.arange(1437), validation(data))[:30]
    assert np.array_equal(digits(*images).split(data).validation, validation(data))


def test_a_class_that_is_forgotten_as_a_whole_leaves_its_share_to_others(folder: Path) -> None:
    data = load("digits")
    split = digits(*np.flatnonzero(data.train.y == 4)).split(data)
    assert len(split.validation) == len(validation(data))
    assert not (data.train.y[split.validation] == 4).any()
    assert len(np.unique(split.validation)) == len(split.validation)
    assert not np.isin(split.forget_train, split.validation).any()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((3, "", 1437), r"^ids.txt:3: 'digits' has no training image 1437; its indices go from 0 to 1436$"),
        (("-1",), r"^ids.txt:1: 'digits' has no training image -1; its indices go from 0 to 1436$"),
        (("9" * 5000,), r"^ids.txt:1: 'digits' has no training image 9+; its"),
        ((3, "#", 5, "03"), r"^ids.txt:4: '03' is the image of line 1 again; remove one$"),
        (("cat.png",), r"^ids.txt:1: 'digits' has no file names; write indices, from 0 to 1436$"),
        (("# nothing", ""), r"^ids.txt does not list an image; write indices"),
        (
            range(1150),
            r"^ids.txt: 1150 of the 1437 training images .* at most 1149 can be, as 287 are held out",
        ),
    ],
)
def test_a_mistake_is_reported_with_its_line(folder: Path, lines: tuple[object, ...], message: str) -> None:
    with pytest.raises(InvalidScenario, match=message):
        digits(*lines)


def test_a_file_that_is_not_text_is_reported(folder: Path) -> None:
    Path("ids.txt").write_bytes(b"\xff\xfe3\x00")
    for forget, why in (
        ("file:missing.txt", "there is no file 'missing.txt'"),
        ("file:.", "there is no file '.'"),
        ("file:ids.txt", "can't decode"),
    ):
        with pytest.raises(InvalidScenario, match=f"cannot be read .*{why}.*lists images, one per line"):
            Scenario("digits", "cnn2", "random", forget)


def test_other_tasks_and_draws_have_no_use_for_a_file(folder: Path) -> None:
    forget = listed(3)
    with pytest.raises(InvalidScenario, match="task 'full_class' does not forget single images; only task"):
        Scenario("digits", "cnn2", "full_class", forget)
    with pytest.raises(InvalidScenario, match="the same in every draw"):
        Scenario("digits", "cnn2", "random", forget, draw=1)
    with pytest.raises(InvalidScenario, match="'file:PATH' reads them from a file"):
        Scenario("digits", "cnn2", "random", digits(3).forget)


def test_an_index_counts_the_images_of_a_part_by_itself(folder: Path) -> None:
    scenario = Scenario("digits@100", "cnn2", "random", listed(99))
    assert scenario.images == (99,)
    with pytest.raises(InvalidScenario, match="from 0 to 99"):
        Scenario("digits@100", "cnn2", "random", listed(100))


@pytest.fixture
def pets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataSource]:
    """Pictures of two classes, with an accent in a name and the same names in both folders."""
    monkeypatch.setenv("UNLEARN_DATA", str(folder))
    class_tree(folder / "pets" / "train", {"cat": 10, "dog": 10})
    class_tree(folder / "pets" / "test", {"cat": 1, "dog": 1}, suffix="jpg")
    picture(folder / "pets" / "train" / "cat" / "Ole\u0301.png", 90)
    yield datasets.get("image_folder:pets")
    datasets.remove("image_folder:pets")


def named(*lines: str) -> Scenario:
    return Scenario("image_folder:pets", "cnn2", "random", listed(*lines))


def test_images_of_a_folder_have_names(pets: DataSource) -> None:
    assert pets.files is not None
    train, _ = pets.files()
    scenario = named("cat/003.png", "train/dog/001.png", "Ol\u00e9.png", "0")
    assert {train[i] for i in scenario.images} == {
        "train/cat/000.png", "train/cat/003.png", "train/cat/Ole\u0301.png", "train/dog/001.png",
    }  # fmt: skip
    data = load("image_folder:pets")
    split = scenario.split(data)
    assert split.forget_train.tolist() == list(scenario.images)
    expected = [train[i].split("/")[1] for i in split.forget_train]
    assert [data.source.classes[c] for c in data.train.y[split.forget_train]] == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("003.png", "could be 2 training images .* 'train/cat/003.png' and 'train/dog/003.png'; write more"),
        (
            "cat/000.jpg",
            "'cat/000.jpg' is a test image of 'image_folder:pets', which is not used for training",
        ),
        ("cat/03.png", "no training image 'cat/03.png'; did you mean 'train/cat/003.png'"),
        ("at/003.png", "no training image 'at/003.png'"),
        ("cat/000.png", "'cat/000.png' is the image of line 1 again"),
    ],
)
def test_an_unknown_name_is_reported(pets: DataSource, name: str, message: str) -> None:
    with pytest.raises(InvalidScenario, match=f"^ids.txt:2: .*{message}"):
        named("0", name)


def test_indices_count_the_images_that_were_not_left_out(pets: DataSource, folder: Path) -> None:
    from benchmarks.datasets import loading

    truncated(folder / "pets" / "train" / "cat" / "005.png")
    datasets.remove("image_folder:pets")
    from benchmarks.datasets import image_folder

    image_folder._listed.cache_clear()
    source = datasets.get("image_folder:pets")
    assert source.decode is not None
    source.decode(loading.data_folder(), True)
    datasets.remove("image_folder:pets")
    (image,) = named("cat/006.png").images
    assert image == 5
    with pytest.raises(InvalidScenario, match=r"no training image 'cat/005\.png'"):
        named("cat/005.png")


def test_files_of_a_part_are_not_known(pets: DataSource) -> None:
    part = replace(pets, name="part", files=None)
    datasets.add(part)
    try:
        with pytest.raises(InvalidScenario, match="'part' has no file names; write indices"):
            Scenario("part", "cnn2", "random", listed("cat/003.png"))
    finally:
        datasets.remove("part")
