"""The family `import:<module>:<function>`: user-defined images from code."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import datasets, load
from benchmarks.errors import BenchmarkError, DataError
from benchmarks.scenarios.scenario import Scenario
from benchmarks.testing import check_dataset

START = """\
import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

x = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
y = np.arange(40) % 4
grey = x[..., 0]


class Pairs(Dataset):
    def __init__(self, images, labels=y, classes=None):
        self.images, self.labels = images, labels
        if classes:
            self.classes = classes

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if index >= len(self.images):
            raise IndexError(index)
        return self.images[index], self.labels[index]


pictures = [Image.fromarray(image) for image in x]
floats = torch.from_numpy(x).permute(0, 3, 1, 2) / 255


"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The data set of a function whose last line returns something."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mydata", raising=False)

    def make(body: str, start: str = START):
        sys.modules.pop("mydata", None)
        (tmp_path / "mydata.py").write_text(f"{start}def build():\n    {body}\n")
        importlib.invalidate_caches()
        for cached in Path(tmp_path).glob("__pycache__/*"):
            cached.unlink()
        return datasets.get("import:mydata:build")

    yield make
    sys.modules.pop("mydata", None)


@pytest.mark.parametrize(
    "returned",
    [
        "(x, y), (x[:8], y[:8])",
        "[(x.transpose(0, 3, 1, 2), list(y)), (x[:8] / 255, y[:8])]",
        "Pairs(x), Pairs(x[:8])",
        "Pairs(pictures, [str(label) for label in y]), Pairs(pictures[:8], list('01230123'))",
        "Pairs(floats, torch.from_numpy(y)), (floats[:8].numpy(), torch.from_numpy(y)[:8])",
        "Pairs(floats.double()), Pairs((floats[:8] * 255).to(torch.uint8)), ['0', '1', '2', '3']",
    ],
)
def test_arrays_and_torch_data_sets_give_the_same_images(build, returned: str) -> None:
    source = build(f"return {returned}")
    module = sys.modules["mydata"]
    check_dataset(source)
    data = load("import:mydata:build")
    assert np.array_equal(data.train.x, module.x)
    assert np.array_equal(data.test.x, module.x[:8])
    assert np.array_equal(data.train.y, module.y)
    assert (source.classes, source.image_size, source.channels) == (("0", "1", "2", "3"), 8, 3)
    assert np.allclose(source.mean, module.x.mean(axis=(0, 1, 2)) / 255)
    assert np.allclose(source.std, module.x.std(axis=(0, 1, 2)) / 255)


def test_grey_images_in_every_form(build) -> None:
    for returned in (
        "(grey, y), (grey, y)",
        "Pairs([Image.fromarray(image) for image in grey]), (grey[..., None], y)",
        "Pairs(torch.from_numpy(grey)), Pairs(torch.from_numpy(grey)[:, None] / 255)",
    ):
        source = build(f"return {returned}")
        data = load("import:mydata:build")
        assert source.channels == 1
        for part in (data.train, data.test):
            assert np.array_equal(part.x[..., 0], sys.modules["mydata"].grey)


def test_classes_have_names(build) -> None:
    assert build("return (x, y), (x, y), ['a', 'b', 'c', 'd']").classes == ("a", "b", "c", "d")
    assert build("return Pairs(x, y, ['a', 'b', 'c', 'd']), (x, y)").classes == ("a", "b", "c", "d")
    source = build("names = np.array(['dog', 'cat']); return (x, names[y % 2]), (x, names[y % 2])")
    assert source.classes == ("cat", "dog")
    assert load(source.name).train.y[:4].tolist() == [1, 0, 1, 0]
    source = build("names = np.array(['dog', 'cat']); return (x, names[y % 2]), (x, y % 2), names")
    assert source.classes == ("dog", "cat")
    assert load(source.name).train.y[:4].tolist() == load(source.name).test.y[:4].tolist() == [0, 1, 0, 1]


def test_the_function_is_called_once_and_a_part_is_of_its_images(build) -> None:
    source = build("calls.append(1); return (x, y), (x, y)", START + "calls = []\n")
    scenario = Scenario("import:mydata:build", "cnn2", "full_class", "2")
    scenario.split(load(scenario.dataset))
    assert load("import:mydata:build@20").train.x.shape == (20, 8, 8, 3)
    assert sys.modules["mydata"].calls == [1]
    assert (
        pickle.loads(pickle.dumps(source)).note
        == source.note
        == (
            "import:mydata:build: 4 classes, 80 images: 40 for training and 40 for testing, 8x8 pixels, 3 "
            f"channels, from {sys.modules['mydata'].__file__}"
        )
    )


def test_images_and_code_have_digests(build) -> None:
    first = build("return (x, y), (x, y)")
    before = load(first.name).fingerprint
    again = build("return (x, y), (x, y)  # the same")
    assert (load(again.name).fingerprint, again.code) == (before, first.code)
    moved = build("z = x; return (z, y), (x, y)")
    assert load(moved.name).fingerprint == before
    assert moved.code != first.code
    assert load(build("return (x + 1, y), (x, y)").name).fingerprint != before


def test_a_worker_needs_the_images_and_not_the_module(build, tmp_path: Path) -> None:
    data = load(build("return (x, y), (x, y)").name)
    (tmp_path / "data.pickle").write_bytes(pickle.dumps(data))
    code = (
        "import pickle, sys\n"
        "from benchmarks.datasets import load, provide\n"
        "from benchmarks.scenarios.scenario import Scenario\n"
        "provide(pickle.load(open(sys.argv[1], 'rb')))\n"
        "scenario = Scenario('import:mydata:build', 'cnn2', 'full_class', '2')\n"
        "split = scenario.split(load('import:mydata:build'))\n"
        "print(load('import:mydata:build').fingerprint, len(split.forget_test), 'mydata' in sys.modules)\n"
    )
    worker = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "data.pickle")], capture_output=True, text=True
    )
    assert worker.stdout.split() == [data.fingerprint, "10", "False"], worker.stderr


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no\\nfile')", r"the function raises ValueError in line 31 of mydata.py: no$"),
        ("raise SystemExit(3)", "the function raises SystemExit in line 31 of mydata.py: 3"),
        ("pass", "the function returns nothing; return train, test"),
        ("return Pairs(x)", "the function returns a Pairs; return train, test"),
        ("return x, y", "the training images: they are one array; give a pair of arrays"),
        (
            "return (x, y), None",
            "the test images: a NoneType is neither a pair of arrays nor a torch Dataset",
        ),
        ("return iter(x), (x, y)", "is neither a pair of arrays nor a torch Dataset"),
        ("return (x, 3), (x, y)", "a pair of arrays is needed"),
        ("return (x, y[:3]), (x, y)", "there are 40 images and 3 labels"),
        ("return (x[0, 0], y[:8]), (x, y)", r"the array of images has the shape \(8, 3\); it must be"),
        ("return (x[..., :2], y), (x, y)", r"the shape \(40, 8, 8, 2\) has no axis of 1 or 3 channels"),
        ("return (x.astype(int), y), (x, y)", "the pixels are int64; return uint8 pixels from 0 to 255, or"),
        ("return (x / 128 - 1, y), (x, y)", "floats that are not k/255 with k from 0 to 255; return uint8"),
        ("return (x * np.nan, y), (x, y)", "floats that are not k/255"),
        ("return (x[:, :4], y), (x, y)", "the images are 4 pixels high and 8 wide; resize or crop them"),
        (
            "return (x, y), (x[:, :4, :4], y)",
            "training images are of the shape .8, 8, 3. and the test images",
        ),
        (
            "return (x, y / 2), (x, y)",
            "the training images: the label 0.0 is neither a whole number nor a text",
        ),
        ("return (x, y - 1), (x, y)", "an image has the label -1; labels are whole numbers from 0 to 3"),
        ("return (x, y * 10**9), (x, y)", "an image has the label 1000000000; labels are whole numbers from"),
        (
            "return (x, y), (x, y), ['a', 'b']",
            "an image has the label 2; labels are whole numbers from 0 to 1",
        ),
        ("return (x, y), (x, y), 'abcd'", "the class names must be a list of texts"),
        ("return (x, y), (x, list('abcd') * 10)", "some labels are whole numbers and others texts"),
        ("return (x, y), (x, y), ['a', 'b', 'c+', 'd']", r"the class name 'c\+' must not contain"),
        ("return (x, y), (x, y), ['a', 'b', 'c', 'c']", "two classes or more with different names"),
        ("return (x, y * 0), (x, y * 0)", "two classes or more"),
        (
            "return (x, y), (x[:3], y[:3])",
            "every class needs at least 1 test images, which '3' does not have",
        ),
        ("return Pairs(x[:0]), (x, y)", "the training images: there are none"),
        (
            "return Pairs([*x, x[0][:4, :4]], [*y, 0]), (x, y)",
            r"item 40 has the shape \(4, 4, 3\), and item 0",
        ),
        (
            "return Pairs(x, list(y)[:3]), (x, y)",
            "item 3 raises IndexError in line 23 of mydata.py: list index",
        ),
        ("return Pairs(['a', 'b']), (x, y)", r"item 0: the image has the shape \(\); it must be"),
        ("return Pairs(torch.rand(40, 3, 8, 8)), (x, y)", "item 0: the pixels are floats that are not k/255"),
        ("return list(x), (x, y)", "the training images: a pair of arrays is needed"),
        (
            "noise = lambda *_: np.random.rand(8, 8, 1).round()\n"
            "    return Pairs(type('Noise', (list,), {'__getitem__': noise})(x)), x",
            "item 0 is another image when it is read again; leave random transforms out",
        ),
    ],
)
def test_what_a_function_gives_is_checked(build, body: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        build(body)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("data set 'import:mydata:build' (")
    assert "mydata.py): " in message


def test_the_error_names_the_path_of_a_missing_function(build) -> None:
    build("return (x, y), (x, y)")
    with pytest.raises(
        BenchmarkError, match="data set 'import:mydata': after 'import:' write a module and a"
    ):
        datasets.get("import:mydata")
    with pytest.raises(BenchmarkError, match="has no function 'biuld'; did you mean 'build'"):
        datasets.get("import:mydata:biuld")
    with pytest.raises(DataError, match="the function must take no arguments; missing a required argument"):
        datasets.get("import:mydata:Pairs")
