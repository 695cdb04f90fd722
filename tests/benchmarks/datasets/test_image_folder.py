"""Folders of class folders: their splits, their cache, and what is said about broken ones."""

from __future__ import annotations

import os
import pickle
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image, ImageOps

from benchmarks.datasets import contents, datasets, decoded, image_folder, load
from benchmarks.datasets.folders import scan
from benchmarks.errors import DataError, InvalidScenario
from benchmarks.scenarios.scenario import Scenario
from benchmarks.testing import check_dataset
from tests.benchmarks.datasets.image_files import class_tree, picture, rows, truncated

COUNTS = {"cat": 10, "dög": 3, "guinea pig": 21}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNLEARN_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def pets(data: Path) -> Path:
    class_tree(data / "pets", COUNTS)
    return data / "pets"


def forget_the_folder() -> None:
    """As in a new process."""
    image_folder._listed.cache_clear()


def test_the_contract(pets: Path) -> None:
    check_dataset(datasets.get("image_folder:pets"))
    class_tree(pets.parent / "even", {"a": 20, "b": 20})
    check_dataset(datasets.get("image_folder:even@20"))


def test_a_fixed_fifth_of_each_class_is_test_images_and_none_of_them_is_trained_on(pets: Path) -> None:
    images = load("image_folder:pets")
    assert images.source.classes == ("cat", "dög", "guinea pig")
    assert np.bincount(images.train.y).tolist() == [8, 2, 17]
    assert np.bincount(images.test.y).tolist() == [2, 1, 4]
    train, test = rows(images.train), rows(images.test)
    assert len({*train, *test}) == sum(COUNTS.values())
    listing = image_folder._listed("pets", pets.parent).listing
    forget_the_folder()
    assert image_folder._listed("pets", pets.parent).listing.names == listing.names
    numbers = [int(Path(name).stem) for name in listing.names if name.startswith("cat")][8:]
    assert numbers not in ([0, 1], [8, 9])  # random, not the first or the last


def test_pixels_and_labels_are_those_of_the_files(pets: Path) -> None:
    images = load("image_folder:pets")
    seen = {}
    for name in COUNTS:
        for path in sorted((pets / name).iterdir()):
            with Image.open(path) as image:
                square = image.resize((64, 64), Image.Resampling.BILINEAR, box=(4, 0, 44, 40))
            seen[np.asarray(square).tobytes()] = name
    for part in (images.train, images.test):
        assert [seen[pixels] for pixels in rows(part)] == [images.source.classes[y] for y in part.y]
        assert part.y.dtype == np.int64


def test_the_normalisation_is_that_of_the_training_images_and_known_once_they_are_decoded(pets: Path) -> None:
    assert datasets.get("image_folder:pets").mean == ()
    images = load("image_folder:pets")
    pixels = np.asarray(images.train.x) / 255
    assert np.allclose(images.source.mean, pixels.mean(axis=(0, 1, 2)))
    assert np.allclose(images.source.std, pixels.std(axis=(0, 1, 2)))
    assert Scenario("image_folder:pets", "cnn2", "full_class", "cat").source.mean == images.source.mean


def test_the_second_load_decodes_nothing_and_maps_the_file(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load("image_folder:pets")
    assert load("image_folder:pets") is first
    monkeypatch.setattr(decoded, "read", lambda *_: pytest.fail("decoded again"))
    forget_the_folder()
    again = load("image_folder:pets")
    assert again is not first
    assert again.fingerprint == first.fingerprint
    for part in (again.train, again.test):
        assert isinstance(part.x.base.base, np.memmap)
        assert not part.x.flags.writeable


def test_processes_that_share_the_images_need_no_copies(pets: Path) -> None:
    buffers: list[pickle.PickleBuffer] = []
    pixels = load("image_folder:pets").train.x
    assert len(pickle.dumps(pixels, protocol=5, buffer_callback=buffers.append)) < 1000
    assert [memoryview(buffer).nbytes for buffer in buffers] == [pixels.nbytes]


def test_a_changed_folder_is_decoded_again(pets: Path) -> None:
    first = load("image_folder:pets")
    picture(pets / "cat" / "new.png", 99)
    forget_the_folder()
    assert len(load("image_folder:pets").train) + len(load("image_folder:pets").test) == 35
    (pets / "cat" / "new.png").unlink()
    forget_the_folder()
    assert load("image_folder:pets").fingerprint == first.fingerprint  # the old cache is still good
    picture(pets / "dög" / "000.png", 77, size=(50, 50))
    forget_the_folder()
    assert load("image_folder:pets").fingerprint != first.fingerprint


def test_the_fingerprint_depends_on_the_images_and_not_on_folder_or_time(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load("image_folder:pets")
    other = pets.parent / "elsewhere"
    shutil.copytree(pets, other / "pets", copy_function=shutil.copyfile)  # with new times
    monkeypatch.setenv("UNLEARN_DATA", str(other))
    assert load("image_folder:pets").fingerprint == first.fingerprint
    listing = image_folder._listed("pets", other).listing
    test = other / "pets" / listing.names[-1]
    Path(test).rename(test.with_suffix(".PNG"))
    forget_the_folder()
    assert load("image_folder:pets").fingerprint == first.fingerprint


def test_an_edit_that_keeps_size_and_time_is_noticed_in_train_and_test_images(pets: Path) -> None:
    first = load("image_folder:pets")
    names = image_folder._listed("pets", pets.parent).listing.names
    prints, models = {first.fingerprint}, {first.learned_from}
    for name in (names[-1], names[0]):
        status, content = (pets / name).stat(), (pets / name).read_bytes()
        picture(pets / name, 88)
        size = max(status.st_size, (pets / name).stat().st_size)
        for bytes_ in (content, (pets / name).read_bytes()):
            (pets / name).write_bytes(bytes_.ljust(size, b"\0"))
            os.utime(pets / name, ns=(status.st_atime_ns, status.st_mtime_ns))
            forget_the_folder()
            edited = load("image_folder:pets")
            prints.add(edited.fingerprint)
            models.add(edited.learned_from)
    assert (len(prints), len(models)) == (3, 2)  # the bytes behind a picture are none of it


def test_files_are_read_once_to_know_them_again(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load("image_folder:pets")
    forget_the_folder()
    monkeypatch.setattr(contents, "opened", lambda path: pytest.fail(f"{path} was read again"))
    assert load("image_folder:pets").fingerprint == first.fingerprint


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_splits_on_disk_are_the_splits(data: Path, held_out: str) -> None:
    class_tree(data / "pets" / "train", {"a": 4, "b": 3})
    class_tree(data / "pets" / held_out, {"a": 1, "b": 2}, "jpg")
    (data / "pets" / "notes.txt").write_text("")
    images = load("image_folder:pets")
    assert images.source.classes == ("a", "b")
    assert images.train.y.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert images.test.y.tolist() == [0, 1, 1]
    with Image.open(data / "pets" / held_out / "b" / "001.jpg") as image:
        last = ImageOps.fit(image, (64, 64), Image.Resampling.BILINEAR)
    assert np.array_equal(images.test.x[2], np.asarray(last))


@pytest.mark.parametrize(
    ("below", "beside"),
    [
        ("", []),
        ("zip/", ["__MACOSX/zip/a/._1.png", ".DS_Store"]),
        ("train/", ["test/0.png"]),
        ("", ["a/9.heic", "b/9.pdf", "logo.png", "a/.DS_Store", "b/Thumbs.db"]),
    ],
)
def test_the_same_images_are_the_same_data_as_in_earlier_versions(data: Path, below: str, beside) -> None:
    class_tree(data / "pets" / below, {"a": 6, "b": 5})
    for path in beside:
        picture(data / "pets" / "x.png")
        (data / "pets" / path).parent.mkdir(parents=True, exist_ok=True)
        (data / "pets" / "x.png").rename(data / "pets" / path)
    assert load("image_folder:pets").fingerprint == "0281337e55074a8c"


def test_given_validation_images_are_the_ones_that_are_held_out(data: Path) -> None:
    for split, counts in (("train", {"a": 9, "b": 8}), ("val", {"a": 2, "b": 1}), ("test", {"a": 3, "b": 4})):
        class_tree(data / "pets" / split, counts)
    check_dataset(datasets.get("image_folder:pets"))
    images = load("image_folder:pets")
    split = Scenario("image_folder:pets", "cnn2", "full_class", "b").split(images)
    assert split.validation.tolist() == [17, 18, 19]
    assert images.train.y[split.validation].tolist() == [0, 0, 1]
    assert split.train.tolist() == list(range(17))
    assert (len(split.forget_train), len(split.forget_validation), len(split.forget_test)) == (8, 1, 4)
    assert images.source.note == (
        "image_folder:pets: 2 classes, 27 images: 17 for training from train/, 3 for validation from val/, 7 "
        "for testing from test/"
    )
    with pytest.raises(InvalidScenario, match="between 1 and 16,"):
        Scenario("image_folder:pets", "cnn2", "random", "17")
    part = load("image_folder:pets@10")
    assert len(Scenario("image_folder:pets@10", "cnn2", "full_class", "b").split(part).validation) == 2
    other = replace(images, source=replace(images.source, given_validation=0))
    assert other.fingerprint != images.fingerprint


def test_a_validation_image_that_cannot_be_read_can_be_left_out(data: Path) -> None:
    for split in ("train", "val", "test"):
        class_tree(data / "pets" / split, {"a": 4, "b": 4})
    (data / "pets" / "val" / "a" / "001.png").write_text("")
    datasets.get("image_folder:pets").decode(data, True)
    images = load("image_folder:pets")
    assert images.source.given_validation == 7
    assert images.train.y[-7:].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert images.source.note.endswith(
        "23 images: 8 for training from train/, 7 for validation from val/, 8 for testing from test/; left "
        "out: 1 that cannot be read"
    )


def test_classes_may_be_named_in_a_table(data: Path) -> None:
    class_tree(data / "pets", {"heap": 14})
    (data / "pets" / "heap").rename(data / "heap")
    shutil.rmtree(data / "pets")
    (data / "heap").rename(data / "pets")
    rows = [f"{i:03}.png,{'cat' if i % 2 else 'dog'}" for i in range(13)]
    (data / "pets" / "metadata.csv").write_text("\n".join(["file_name,label", *rows]))
    images = load("image_folder:pets")
    assert images.source.classes == ("cat", "dog")
    assert (np.bincount(images.train.y).tolist(), np.bincount(images.test.y).tolist()) == ([5, 6], [1, 1])
    assert images.source.note == (
        "image_folder:pets: 2 classes, 13 images: 11 for training and 2 for testing, a fixed fifth of each "
        "class, classes from metadata.csv; left out: 1 image without a label in metadata.csv, such as 013.png"
    )
    class_tree(data / "folders", {"cat": 0, "dog": 0})
    for i in range(13):
        folder = data / "folders" / ("cat" if i % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / "pets" / f"{i:03}.png", folder)
    assert load("image_folder:folders").fingerprint == images.fingerprint


def test_images_in_folders_below_a_class_are_its_images(data: Path) -> None:
    class_tree(data / "pets", {"a": 4, "b": 4, "a/2020": 5, "a/2021": 5, "b/2020/may": 10})
    images = load("image_folder:pets")
    assert np.bincount(images.train.y).tolist() == [11, 11]
    assert np.bincount(images.test.y).tolist() == [3, 3]
    assert len({*rows(images.train), *rows(images.test)}) == 28


def test_a_class_is_forgotten_by_its_name_in_either_form_of_unicode(data: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "chaméleon")
    class_tree(data / "pets", {decomposed: 3, "zebra": 3})
    images = load("image_folder:pets")
    assert images.source.classes == ("chaméleon", "zebra")
    for forget in ("chaméleon", decomposed):
        assert Scenario("image_folder:pets", "cnn2", "full_class", forget).forget == "chaméleon"


def test_classes_may_be_called_almost_anything(data: Path) -> None:
    names = (
        "01",
        "02",
        "1",
        "CAT",
        "apple [red]",
        "a\u2215b",
        "cat",
        "cat\\dog",
        "x=y.png",
        "\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645",
        "家",
    )
    class_tree(data / "pets", dict.fromkeys(names, 3))
    assert load("image_folder:pets").source.classes == tuple(sorted(names))
    scenario = Scenario("image_folder:pets", "cnn2", "full_class", "01+1+cat")
    assert [scenario.classes[label] for label in scenario.forget_labels] == ["01", "1", "cat"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"caf\xe9", r"'caf\\udce9' is not UTF-8; rename it"),
        (b"a\x1b[31m", r"'a\\x1b\[31m' contains an invisible character; rename it"),
        (b"a\nb", r"'a\\nb' contains an invisible character"),
        ("a\u202eb".encode(), r"'a\\u202eb' contains an invisible character"),
        (b" a", "' a' must not .* begin or end with a space"),
        (b"a>b", "'a>b' must not contain"),
    ],
)
def test_names_that_tables_and_terminals_do_not_take_are_refused_when_the_folder_is_listed(
    data: Path, name, message: str
) -> None:
    class_tree(data / "pets", {os.fsdecode(name): 3, "b": 3})
    refused("image_folder:pets", message)


def test_the_note_names_used_and_left_out_files(data: Path) -> None:
    class_tree(data / "pets" / "train", {"a": 7, "b": 7})
    (data / "pets" / "train" / "a" / "1.heic").touch()
    note = (
        "image_folder:pets: 2 classes, 14 images: 12 for training and 2 for testing, a fixed fifth of each "
        "class of train/; left out: 1 .heic file (not read: convert to JPEG or PNG)"
    )
    assert datasets.get("image_folder:pets").note == datasets.get("image_folder:pets@10").note == note


def test_a_pipe_among_the_images_is_named_and_hangs_nobody(pets: Path) -> None:
    os.mkfifo(pets / "cat" / "pipe.png")
    (pets / "cat" / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(
        DataError, match=r"2 of the 36 images .*cat/pipe.png \(it is a pipe, a socket or a device\)"
    ):
        load("image_folder:pets")
    assert len(datasets.get("image_folder:pets").decode(pets.parent, True).skipped) == 2


def test_a_link_to_nothing_is_named(pets: Path) -> None:
    (pets / "cat" / "deleted.png").symlink_to("/no/such.png")
    with pytest.raises(DataError, match=r"cat/deleted.png cannot be read \(No such file or directory\)"):
        load("image_folder:pets")


def test_files_of_a_killed_decoding_are_deleted_by_the_next_unless_locked(pets: Path) -> None:
    cache = pets.parent / "decoded"
    cache.mkdir()
    stems = (
        "image_folder-gone-1",
        image_folder._listed("pets", pets.parent).listing.stem,
        "image_folder-busy-1",
    )
    left = [cache / f".{stem}.npy.123" for stem in stems]
    for path in left:
        path.write_text("half")
    with FileLock(cache / f".{stems[2]}.lock"):
        load("image_folder:pets")
    assert [path.exists() for path in left] == [False, False, True]


def test_listing_looks_at_no_file(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seen in ("stat", "open"):
        monkeypatch.setattr(Path, seen, lambda path, **_: pytest.fail(f"{path} was looked at"))
    assert scan(pets).count == 34


def test_every_class_has_validation_images_and_none_more_than_its_share(data: Path) -> None:
    class_tree(data / "pets", {"apes": 60, "bees": 3, "cows": 4})
    images = load("image_folder:pets")
    split = Scenario("image_folder:pets", "cnn2", "full_class", "bees").split(images)
    assert np.bincount(images.train.y).tolist() == [48, 2, 3]
    assert np.bincount(images.train.y[split.validation]).tolist() == [3, 1, 1]
    assert (len(split.forget_validation), len(split.forget_train)) == (1, 1)


def refused(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        datasets.get(name)
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_refused_is_reported(data: Path) -> None:
    refused("image_folder:pets", f"no folder {data}/pets; put one folder per class")
    for name in ("../pets", "", ".", "..", "a/b", "a b"):
        refused(f"image_folder:{name}", "after the colon write the name of a folder")
    (data / "pets").mkdir()
    refused("image_folder:pets", "two classes or more are needed, but .*pets contains 0")
    picture(data / "pets" / "1.png")
    refused(
        "image_folder:pets", "contains 0 in addition to 1 image outside class folders, such as 1.png; put"
    )
    (data / "pets" / "1.png").unlink()
    class_tree(data / "pets", {"a": 3})
    refused("image_folder:pets", "two classes or more are needed, but .*pets contains 1")
    class_tree(data / "pets", {"b": 2})
    refused("image_folder:pets", "every class needs 3 images or more, but 'b' has 2")
    class_tree(data / "pets", {"b": 3})
    (data / "pets" / "empty").mkdir()
    (data / "pets" / "empty" / "note.txt").write_text("")
    refused("image_folder:pets", "but 'empty' has 0; add some")
    (data / "pets" / "empty" / "1.heic").write_text("")
    refused("image_folder:pets", r"'empty' has 0 that can be read \(.heic 1; convert them to JPEG or PNG\)")
    shutil.rmtree(data / "pets" / "empty")
    class_tree(data / "pets", {"c+d": 3})
    refused("image_folder:pets", r"'c\+d' must not contain '\+'")


def test_splits_that_do_not_fit_are_refused(data: Path) -> None:
    class_tree(data / "pets" / "train", {"a": 3, "b": 3, "c": 3})
    class_tree(data / "pets" / "test", {"a": 1, "b": 1})
    refused(
        "image_folder:pets",
        "'train/' and 'test/' must contain the same classes, but only 'train/' has 'c'; add or remove it",
    )
    (data / "pets" / "test" / "c").mkdir()
    refused("image_folder:pets", "at least 1 test images that can be read, which 'c' in .*pets does not have")


def test_images_that_cannot_be_read_are_named_and_counted(pets: Path) -> None:
    for i in range(6):
        truncated(pets / "cat" / f"broken{i}.jpg")
    (pets / "guinea pig" / "none.gif").write_text("")
    message = (
        r"7 of the 41 images of 'image_folder:pets' cannot be read: .*cat/broken\d\.jpg \(.*truncated.*"
        r"and 2 more.*`unlearn decode image_folder:pets --skip-unreadable`"
    )
    for _ in range(2):  # it is not cached as if it had worked
        with pytest.raises(DataError, match=message):
            load("image_folder:pets")
    assert not list((pets.parent / "decoded").glob("*.npy"))
    assert not list((pets.parent / "decoded").glob(".*.npy*"))


def test_images_may_be_left_out_and_stay_so(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = image_folder._listed("pets", pets.parent).listing
    broken = [whole.names[0], whole.names[-1]]  # a training and a test image
    for name in broken:
        (pets / name).write_text("")
    forget_the_folder()
    source = datasets.get("image_folder:pets")
    done = source.decode(pets.parent, True)
    assert sorted(name for name, _ in done.skipped) == sorted(broken)
    monkeypatch.setattr(decoded, "read", lambda *_: pytest.fail("decoded again"))
    images = load("image_folder:pets")
    assert (len(images.train), len(images.test)) == (source.train_size - 1, source.test_size - 1)
    assert (images.source.train_size, images.source.test_size) == (len(images.train), len(images.test))
    kept = [name for name in whole.names if name not in broken]
    expected = [whole.classes.index(name.split("/")[0]) for name in kept]
    assert [*images.train.y, *images.test.y] == expected
    with Image.open(pets / kept[-1]) as image:
        last = ImageOps.fit(image, (64, 64), Image.Resampling.BILINEAR)
    assert np.array_equal(images.test.x[-1], np.asarray(last))


def test_a_class_of_which_too_little_can_be_read_is_named(pets: Path) -> None:
    for path in (pets / "dög").iterdir():
        path.write_text("")
    with pytest.raises(DataError, match="at least 2 training images that can be read, which 'dög'"):
        datasets.get("image_folder:pets").decode(pets.parent, True)


def test_a_broken_cache_says_what_to_delete(pets: Path) -> None:
    load("image_folder:pets")
    (file,) = (pets.parent / "decoded").glob("*.npy")
    file.write_bytes(file.read_bytes()[:-100])
    forget_the_folder()
    with pytest.raises(DataError, match=r"\.npy cannot be read .*delete it and run again"):
        load("image_folder:pets")
    file.unlink()
    assert len(load("image_folder:pets").train) == 27
    file.with_suffix(".json").write_text("{")
    forget_the_folder()
    with pytest.raises(DataError, match=r"\.json cannot be read .*delete it and run again"):
        load("image_folder:pets")


def test_a_variant_is_stratified_and_normalised_like_the_whole(data: Path) -> None:
    class_tree(data / "pets", {"a": 40, "b": 20, "c": 20})
    part = load("image_folder:pets@32")
    assert np.bincount(part.train.y).tolist() == [16, 8, 8]
    assert part.source.mean == load("image_folder:pets").source.mean
    assert not {*rows(part.train)} & {*rows(load("image_folder:pets").test)}
    with pytest.raises(InvalidScenario, match="from 15"):
        datasets.get("image_folder:pets@14")


def test_a_variant_that_would_lose_a_class_is_refused(data: Path) -> None:
    class_tree(data / "pets", {"a": 60, "b": 3})
    with pytest.raises(DataError, match="leaves no images of the small class 'b'; use more images"):
        load("image_folder:pets@10")


def test_a_model_trains_on_a_folder(data: Path) -> None:
    from benchmarks import prepare
    from benchmarks.training.recipes import Recipe

    for name, colour in (("red", (250, 20, 20)), ("blue", (20, 20, 250)), ("green", (20, 200, 20))):
        (data / "pets" / name).mkdir(parents=True)
        for i in range(20):
            shade = tuple(max(0, c - 5 * i) for c in colour)
            Image.new("RGB", (70, 64), shade).save(data / "pets" / name / f"{i}.png")
    scenario = Scenario("image_folder:pets", "cnn2@16", "full_class", "red")
    lines: list[str] = []
    prepared = prepare(scenario, recipe=Recipe(epochs=8, batch_size=8), progress=lines.append)
    assert lines[0].startswith("image_folder:pets: 3 classes, 60 images: 48 for training and 12 for testing")
    assert prepared.targets("test")["retain_acc"] == 100
    assert prepared.targets("test")["forget_acc"] == 0
