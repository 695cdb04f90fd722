"""Scenarios: canonical names, index sets, and every bad input told in one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.datasets import Dataset, Images, datasets, load
from benchmarks.errors import InvalidScenario, UnknownName
from benchmarks.scenarios import Scenario, _validation

CIFAR = datasets.get("cifar100")


def made_up(name: str) -> Dataset:
    """A data set of the right size and labels without pixels."""
    source = datasets.get(name)
    rng = np.random.default_rng(0)

    def part(size: int) -> Images:
        y = rng.permutation(np.arange(size) % len(source.classes))
        return Images(np.empty((size, 0, 0, 0), np.uint8), y)

    return Dataset(source, part(source.train_size), part(source.test_size))


DATA = {name: made_up(name) for name in ("cifar20", "cifar100")}


@st.composite
def scenarios(draw):
    name = draw(st.sampled_from(["digits", "cifar20", "cifar100"]))
    source = datasets.get(name)
    tasks = ["full_class", "random", *(["sub_class"] if source.superclasses else [])]
    task = draw(st.sampled_from(tasks))
    if task == "random":
        forget = str(draw(st.integers(1, 1000)))
    else:
        names = source.names(source.predicts if task == "full_class" else "class")
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=len(names) - 1, unique=True))
        forget = "+".join(chosen)
    model = "cnn2" if name == "digits" else "vgg11"
    return Scenario(name, model, task, forget, seed=draw(st.integers(0, 3)))


def data_of(scenario):
    return DATA[scenario.dataset] if scenario.dataset in DATA else load(scenario.dataset)


@given(scenarios())
def test_the_six_sets_are_disjoint_and_complete(scenario):
    data = data_of(scenario)
    split = scenario.split(data)
    train = [split.retain_train, split.forget_train, split.retain_validation, split.forget_validation]
    assert np.array_equal(np.sort(np.concatenate(train)), np.arange(len(data.train)))
    test = np.sort(np.concatenate([split.retain_test, split.forget_test]))
    assert np.array_equal(test, np.arange(len(data.test)))
    for part in (*train, split.retain_test, split.forget_test):
        assert part.dtype == np.int64
        assert np.array_equal(part, np.sort(part))
    assert np.array_equal(split.train, np.sort(np.concatenate(train[:2])))
    assert np.array_equal(split.validation, _validation(data))  # the same for every scenario


@given(scenarios())
def test_what_is_forgotten_is_what_was_asked_for(scenario):
    data = data_of(scenario)
    split = scenario.split(data)
    source = scenario.source
    if scenario.task == "random":
        assert len(split.forget_train) == int(scenario.forget)
        assert len(split.forget_test) == len(split.forget_validation) == 0
        assert scenario.forget_labels == ()
        return
    level = source.predicts if scenario.task == "full_class" else "class"
    wanted = [source.names(level).index(name) for name in scenario.forget.split("+")]
    for images, retain, forget in (
        (data.train, split.retain_train, split.forget_train),
        (data.train, split.retain_validation, split.forget_validation),
        (data.test, split.retain_test, split.forget_test),
    ):
        labels = source.labels(images.y, level)
        assert np.isin(labels[forget], wanted).all()
        assert not np.isin(labels[retain], wanted).any()
    predicted = source.labels(data.train.y[split.forget_train], scenario.level)
    assert set(scenario.forget_labels) == set(predicted.tolist())


@given(scenarios())
def test_canonical_form_is_stable_and_names_one_scenario(scenario):
    again = Scenario(**scenario.describe())
    assert again == scenario
    assert again.key == scenario.key
    assert hash(again) == hash(scenario)


@pytest.mark.parametrize("forget", ["rocket", "69", 69, " rocket ", "rocket+69", "rocket+rocket"])
def test_a_class_by_name_or_index(forget):
    assert Scenario("cifar100", "vgg11", "full_class", forget).forget == "rocket"


def test_order_and_repetition_of_classes_do_not_matter():
    one = Scenario("cifar100", "vgg11", "full_class", "sea + rocket+sea")
    assert one == Scenario("cifar100", "vgg11", "full_class", "69+71")
    assert one.forget == "rocket+sea"
    assert one.forget_labels == (69, 71)
    assert one.key == "cifar100/vgg11/full_class/rocket+sea/seed0"


def test_labels_by_task():
    assert Scenario("cifar20", "vgg11", "full_class", "vehicles_2").forget_labels == (19,)
    sub = Scenario("cifar20", "vgg11", "sub_class", "rocket+lamp+tank")
    assert sub.forget_labels == (5, 19)
    assert sub.classes == tuple(CIFAR.superclasses or datasets.get("cifar20").superclasses)
    assert Scenario("cifar100", "vgg11", "full_class", "sea").classes[71] == "sea"
    assert Scenario("digits", "cnn2", "sub_class", "1").classes == ("loops", "strokes", "curves")
    assert Scenario("digits", "cnn2", "full_class", "1").classes == tuple("0123456789")


def test_random_draws_by_seed_and_count():
    def drawn(seed):
        return Scenario("digits", "cnn2", "random", 30, seed=seed).split(load("digits")).forget_train

    assert np.array_equal(drawn(0), drawn(0))
    assert not np.array_equal(drawn(0), drawn(1))
    assert Scenario("digits", "cnn2", "random", "030").forget == "30"


def test_validation_is_stratified():
    data = load("digits")
    held_out = _validation(data)
    assert len(held_out) == round(0.2 * 1437)
    counts = np.bincount(data.train.y[held_out])
    assert np.abs(counts - 0.2 * np.bincount(data.train.y)).max() <= 1
    fine = np.bincount(DATA["cifar100"].train.y[_validation(DATA["cifar100"])])
    assert set(fine) == {50}


BAD = [
    (("cifar", "vgg11", "full_class", "1"), UnknownName, "unknown data set 'cifar'; did you mean"),
    (("cifar100", "vgg", "full_class", "1"), UnknownName, "unknown model 'vgg'; did you mean 'vgg11'"),
    (
        ("cifar100", "vgg11", "fullclass", "1"),
        UnknownName,
        "unknown task 'fullclass'; did you mean 'full_class'",
    ),
    (
        ("cifar100", "vgg11", "full_class", "rockett"),
        InvalidScenario,
        "no class 'rockett'; did you mean 'rocket'",
    ),
    (("cifar100", "vgg11", "full_class", "100"), InvalidScenario, "no class '100'"),
    (("cifar100", "vgg11", "full_class", "-1"), InvalidScenario, "no class '-1'"),
    (("cifar100", "vgg11", "full_class", ""), InvalidScenario, "no class ''"),
    (("cifar100", "vgg11", "full_class", "rocket+"), InvalidScenario, "no class ''"),
    (("cifar20", "vgg11", "full_class", "rocket"), InvalidScenario, "no class 'rocket'"),
    (("cifar100", "vgg11", "sub_class", "rocket"), InvalidScenario, "superclasses.*cifar20, digits"),
    (("digits", "cnn2", "full_class", "+".join("0123456789")), InvalidScenario, "leaves no class"),
    (("digits", "cnn2", "sub_class", "+".join("0123456789")), InvalidScenario, "leaves no class"),
    (("digits", "cnn2", "random", "0"), InvalidScenario, "between 1 and 1149, not '0'"),
    (("digits", "cnn2", "random", "1150"), InvalidScenario, "between 1 and 1149"),
    (("digits", "cnn2", "random", "9" * 5000), InvalidScenario, "between 1 and 1149"),
    (("digits", "cnn2", "random", "10%"), InvalidScenario, "not '10%'"),
    (("digits", "cnn2", "random", 0.1), InvalidScenario, r"not '0\.1'"),
    (("digits", "vgg11", "full_class", "1"), InvalidScenario, "at least 32 pixels a side, not 8"),
    (("digits", "cnn2", "full_class", "1", -1), InvalidScenario, "'seed' must be a whole number"),
    (("digits", "cnn2", "full_class", "1", 0.5), InvalidScenario, "'seed' must be a whole number"),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), BAD)
def test_bad_input_is_told_in_one_line(arguments, kind, message):
    with pytest.raises(kind, match=message) as told:
        Scenario(*arguments)
    assert "\n" not in str(told.value)


def test_a_seed_from_an_array_is_a_plain_number():
    assert type(Scenario("digits", "cnn2", "full_class", "1", np.int64(3)).seed) is int
