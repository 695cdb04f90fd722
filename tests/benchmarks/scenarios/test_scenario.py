"""Scenarios: canonical names, index sets, and every invalid input reported in a single line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.datasets import Dataset, DataSource, Images, datasets, load
from benchmarks.errors import InvalidScenario, UnknownName
from benchmarks.scenarios.scenario import Scenario
from benchmarks.scenarios.splits import validation

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
def test_the_six_sets_are_disjoint_and_complete(scenario) -> None:
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
    assert np.array_equal(split.validation, validation(data))  # the same for every scenario


@given(scenarios())
def test_what_is_forgotten_is_what_was_asked_for(scenario) -> None:
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
def test_the_canonical_form_is_stable_and_unique(scenario) -> None:
    again = Scenario(**scenario.describe())
    assert again == scenario
    assert again.key == scenario.key
    assert hash(again) == hash(scenario)


@pytest.mark.parametrize("forget", ["rocket", "69", 69, " rocket ", "rocket+69", "rocket+rocket"])
def test_a_class_by_name_or_index(forget: int | str) -> None:
    assert Scenario("cifar100", "vgg11", "full_class", forget).forget == "rocket"


def test_order_and_repetition_of_classes_do_not_matter() -> None:
    scenario = Scenario("cifar100", "vgg11", "full_class", "sea + rocket+sea")
    assert scenario == Scenario("cifar100", "vgg11", "full_class", "69+71")
    assert scenario.forget == "rocket+sea"
    assert scenario.forget_labels == (69, 71)
    assert scenario.key == "cifar100/vgg11/full_class/rocket+sea/seed0"


def test_labels_by_task() -> None:
    assert Scenario("cifar20", "vgg11", "full_class", "vehicles_2").forget_labels == (19,)
    sub = Scenario("cifar20", "vgg11", "sub_class", "rocket+lamp+tank")
    assert sub.forget_labels == (5, 19)
    assert sub.classes == tuple(CIFAR.superclasses or datasets.get("cifar20").superclasses)
    assert Scenario("cifar100", "vgg11", "full_class", "sea").classes[71] == "sea"
    assert Scenario("digits", "cnn2", "sub_class", "1").classes == ("loops", "strokes", "curves")
    assert Scenario("digits", "cnn2", "full_class", "1").classes == tuple("0123456789")


def test_random_draws_by_seed_and_count() -> None:
    def drawn(seed):
        return Scenario("digits", "cnn2", "random", 30, seed=seed).split(load("digits")).forget_train

    assert np.array_equal(drawn(0), drawn(0))
    assert not np.array_equal(drawn(0), drawn(1))
    assert Scenario("digits", "cnn2", "random", "030").forget == "30"


def test_every_draw_forgets_another_sample_and_the_first_is_unchanged() -> None:
    data = load("digits")
    draws = [Scenario("digits", "cnn2", "random", 30, 7, draw).split(data) for draw in range(4)]
    train = draws[0].train
    before = np.random.default_rng([7, 30]).choice(train, size=30, replace=False)
    assert np.array_equal(draws[0].forget_train, np.sort(before))
    assert len({tuple(split.forget_train) for split in draws}) == 4
    for split in draws:
        assert len(split.forget_train) == 30
        assert np.array_equal(split.train, train), "all of them are of the images of one original model"


def test_a_draw_stands_in_the_key_unless_it_is_the_first() -> None:
    keys = [Scenario("digits", "cnn2", "random", 30, draw=draw).key for draw in (0, 3)]
    assert keys == ["digits/cnn2/random/30/seed0", "digits/cnn2/random/30/seed0/draw3"]


def test_validation_is_stratified() -> None:
    data = load("digits")
    held_out = validation(data)
    assert len(held_out) == round(0.2 * 1437)
    counts = np.bincount(data.train.y[held_out])
    assert np.abs(counts - 0.2 * np.bincount(data.train.y)).max() <= 1
    fine = np.bincount(DATA["cifar100"].train.y[validation(DATA["cifar100"])])
    assert set(fine) == {50}


@pytest.fixture
def people():
    """A data set of 60 training images of 12 people in 3 classes; the test images show 4 of them."""
    size, y = 4, np.arange(60) % 3
    train = Images(np.zeros((60, size, size, 1), np.uint8), y, np.arange(60) % 12)
    test = Images(np.zeros((8, size, size, 1), np.uint8), np.arange(8) % 3, np.arange(8) % 4)
    source = DataSource(
        name="people",
        summary="made by a test",
        source="nobody",
        classes=("a", "b", "c"),
        channels=1,
        image_size=size,
        train_size=60,
        test_size=8,
        mean=(0.5,),
        std=(0.5,),
        read=lambda folder: (train, test),
        identities=tuple(f"p{i}" for i in range(12)),
        trained_people=12,
        validation_fraction=0.2,
    )
    yield Dataset(datasets.add(source), train, test)
    datasets.remove("people")


def test_identities_by_name_forget_every_image_of_those_people(people) -> None:
    scenario = Scenario("people", "cnn2", "identities", "p7+p2")
    assert scenario.forget == "p2+p7"
    assert scenario.forget_labels == ()
    split = scenario.split(people)
    forgotten = {
        int(people.train.identity[i]) for i in np.concatenate([split.forget_train, split.forget_validation])
    }
    assert forgotten == {2, 7}
    assert len(split.forget_train) + len(split.forget_validation) == 10
    assert people.test.identity[split.forget_test].tolist() == [2, 2]


def test_identities_by_number_or_share_are_drawn_by_the_seed(people) -> None:
    def drawn(forget, seed=0):
        split = Scenario("people", "cnn2", "identities", forget, seed).split(people)
        return set(people.train.identity[split.forget_train].tolist())

    assert len(drawn("3")) == 3
    assert drawn("3") == drawn("25%")
    assert any(drawn("3") != drawn("3", seed) for seed in range(1, 5))
    draws = [Scenario("people", "cnn2", "identities", "3", draw=draw).split(people) for draw in range(5)]
    assert len({tuple(split.forget_train) for split in draws}) > 1
    with pytest.raises(InvalidScenario, match="forgets 'p2', which is the same in every draw"):
        Scenario("people", "cnn2", "identities", "p2", draw=1)
    for bad in ("12", "0", "100%", "-1%"):
        with pytest.raises(InvalidScenario, match="12 people with training images; forget between 1 and 11"):
            Scenario("people", "cnn2", "identities", bad)
    with pytest.raises(InvalidScenario, match="no class 'p77'; did you mean 'p7'"):
        Scenario("people", "cnn2", "identities", "p77")
    with pytest.raises(InvalidScenario, match="needs identities, which 'digits' does not have"):
        Scenario("digits", "cnn2", "identities", "3")


def test_people_of_some_classes_have_no_image_of_another(people) -> None:
    # Person i has the images i, i + 12, ..., all of class i % 3; the third gets one of another class
    people.train.y[15] = 1
    scenario = Scenario("people", "cnn2", "identities", "25% of c+a", 4)
    assert scenario.forget == "3 of a+c"
    assert scenario.drawn
    chosen = [replace(scenario, draw=draw)._people(people) for draw in range(40)]
    assert {len(set(some)) for some in chosen} == {3}
    assert {person for some in chosen for person in some} == {0, 2, 5, 6, 8, 9, 11}
    split = scenario.split(people)
    forgotten = np.concatenate([split.forget_train, split.forget_validation])
    assert len(forgotten) == 15, "all images of each"
    assert set(people.train.y[forgotten]) <= {0, 2}


def test_people_of_some_classes_that_cannot_be_drawn_are_reported(people) -> None:
    with pytest.raises(
        InvalidScenario, match="has 4 people with training images of a alone; forget at most 4"
    ):
        Scenario("people", "cnn2", "identities", "5 of a").split(people)
    with pytest.raises(InvalidScenario, match="'people' has no class 'd'"):
        Scenario("people", "cnn2", "identities", "5 of a+d")
    with pytest.raises(InvalidScenario, match="leaves no class of 'people' to retain"):
        Scenario("people", "cnn2", "identities", "5 of a+b+c")
    with pytest.raises(InvalidScenario, match=r"either of them 'of CLASS\+CLASS', or names, not '12 of a'"):
        Scenario("people", "cnn2", "identities", "12 of a")


def test_a_share_is_of_the_people_with_training_images() -> None:
    def people(forget, dataset="celeba"):
        return Scenario(dataset, "resnet18", "identities", forget).forget

    assert people("2%") == "164"  # of 8,192; 10,177 are in all parts together
    assert people("2% of 4+female") == "164 of female+male"
    assert people("10%", "pins") == "10"  # 10.5
    with pytest.raises(
        InvalidScenario, match="has 8192 people with training images; forget between 1 and 8191"
    ):
        people("8192")
    with pytest.raises(
        InvalidScenario, match="not known before its files are read; forget a number of people"
    ):
        people("2%", "celeba@1000")


def test_a_share_of_random_images_is_a_share_of_those_trained_on() -> None:
    assert Scenario("digits", "cnn2", "random", "10%").forget == str(round(0.1 * (1437 - 287)))


def test_a_sequence_is_its_requests_and_what_they_add_up_to() -> None:
    scenario = Scenario("digits", "cnn2", "sequence", "3>8+1>0")
    assert scenario.forget == "3>1+8>0"
    assert [s.forget for s in scenario.requests] == ["3", "1+8", "0"]
    assert [s.forget for s in scenario.steps] == ["3", "1+3+8", "0+1+3+8"]
    assert {s.task for s in (*scenario.requests, *scenario.steps)} == {"full_class"}
    assert scenario.forget_labels == (0, 1, 3, 8)
    data = load("digits")
    whole, last = scenario.split(data), scenario.steps[-1].split(data)
    assert np.array_equal(whole.forget_train, last.forget_train)
    assert np.array_equal(whole.retain_test, last.retain_test)
    scenario = Scenario("digits", "cnn2", "full_class", "3")
    assert scenario.requests == scenario.steps == (scenario,)


BAD = [
    (("digits", "cnn2", "sequence", "3"), InvalidScenario, "needs requests joined by '>', such as 0>1"),
    (("digits", "cnn2", "sequence", "3>4+3"), InvalidScenario, "forgets '3' twice"),
    (("digits", "cnn2", "sequence", "0>1+2+3+4>5>6+7+8>9"), InvalidScenario, "leaves no class"),
    (("digits", "cnn2", "random", "200%"), InvalidScenario, "or a share such as 10%, not '200%'"),
    (("digits", "cnn2", "random", "nan%"), InvalidScenario, "or a share such as 10%, not 'nan%'"),
    (("cifar100@99", "cnn2", "full_class", "sea"), InvalidScenario, "from 500 .five per class. to 50000"),
    (("cifar100", "cnn2@x", "full_class", "sea"), InvalidScenario, "from 4 to 4096 pixels"),
    (("cifar", "vgg11", "full_class", "1"), UnknownName, "unknown data set 'cifar'; did you mean"),
    (("cifar100", "vgg", "full_class", "1"), UnknownName, "unknown model 'vgg'; did you mean 'vgg1"),
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
    (
        ("digits", "cnn2", "random", "0"),
        InvalidScenario,
        "a share such as 10%, not '0'",
    ),
    (("digits", "cnn2", "random", "1150"), InvalidScenario, "between 1 and 1149"),
    (("digits", "cnn2", "random", "9" * 5000), InvalidScenario, "between 1 and 1149"),
    (("digits", "cnn2", "random", 0.1), InvalidScenario, r"not '0\.1'"),
    (("digits", "vgg11", "full_class", "1"), InvalidScenario, "at least 32 pixels a side, not 8"),
    (("digits", "cnn2", "full_class", "1", -1), InvalidScenario, "'seed' must be a whole number"),
    (("digits", "cnn2", "full_class", "1", 2**32), InvalidScenario, "whole number from 0 to 4294967295, not"),
    (("digits", "cnn2", "full_class", "1", 2**64), InvalidScenario, "whole number from 0 to 4294967295, not"),
    (("digits", "cnn2", "full_class", "1", 0.5), InvalidScenario, "'seed' must be a whole number"),
    (("digits", "cnn2", "random", "30", 0, -1), InvalidScenario, "'draw' must be a whole number"),
    (("digits", "cnn2", "full_class", "1", 0, 1), InvalidScenario, "task 'full_class' forgets '1'.*same in"),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), BAD)
def test_bad_input_is_reported_in_a_single_line(arguments, kind, message) -> None:
    with pytest.raises(kind, match=message) as raised:
        Scenario(*arguments)
    assert "\n" not in str(raised.value)


def test_a_seed_from_an_array_is_a_plain_number() -> None:
    assert type(Scenario("digits", "cnn2", "full_class", "1", np.int64(3)).seed) is int


@pytest.fixture
def named():
    """Makes a data set whose classes have some names."""

    def make(*names):
        source = replace(datasets.get("digits"), name="named", classes=names, superclasses={})
        datasets.remove("named")
        return datasets.add(source)

    yield make
    datasets.remove("named")


@pytest.mark.parametrize(
    ("names", "forget", "meant"),
    [
        (("01", "02", "03", "04"), "01", "01"),
        (("1", "2", "3", "4"), "1", "1"),
        (("00", "01", "02"), "1", "01"),
        (("cat", "dog", "2020"), "0", "cat"),
        (("cat", "1", "dog"), "1", "1"),
    ],
)
def test_a_name_wins_over_an_index(named, names, forget: str, meant: str) -> None:
    named(*names)
    assert Scenario("named", "cnn2", "full_class", forget).forget == meant


@pytest.mark.parametrize(
    ("names", "forget", "message"),
    [
        (
            ("01", "02", "03"),
            "1",
            "mean the class '01' of 'named' or its class at index 1, '02'",
        ),
        (
            ("1", "2", "3"),
            "01",
            "mean the class '1' of 'named' or its class at index 1, '2'",
        ),
        (
            ("cat", "dog", "0"),
            "00",
            "mean the class '0' of 'named' or its class at index 0, 'cat'",
        ),
        (("1", "2", "3"), "0", "no class '0', and its classes are numbers .* index 0 is meant, write '1'"),
    ],
)
def test_a_number_that_could_mean_two_classes_is_refused_with_both(
    named, names, forget: str, message: str
) -> None:
    named(*names)
    with pytest.raises(InvalidScenario, match=message):
        Scenario("named", "cnn2", "full_class", forget)
