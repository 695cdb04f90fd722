"""The table of `unlearn prepare`."""

from __future__ import annotations

from benchmarks.scenarios.scenario import Scenario
from search.engine.preparation import Needed, Trained
from search.models.table import listing

SCENARIO = Scenario("cifar100@1000", "vgg11_133m", "full_class", "rocket")
TRAINED = {"test_acc": 65.44, "best_epoch": 3, "seconds": 12.34}


def test_an_original_model_has_the_published_accuracies_next_to_it() -> None:
    models = [
        Trained(Needed("original", SCENARIO), 4, TRAINED),
        Trained(Needed("user", SCENARIO), 4, {"test_acc": 60.0}),
        Trained(Needed("retrained", SCENARIO), 4, TRAINED),
        Trained(Needed("recorded", SCENARIO), 4, {"steps": 7, "seconds": 1.0}),
    ]
    header, rows = listing(models)
    lines = [dict(zip(header, row, strict=True)) for row in rows]
    assert [line["role"] for line in lines] == ["original", "your checkpoint", "retrained without rocket"]
    assert lines[0]["test accuracy"] == "65.4 %"
    assert lines[0]["kept epoch"] == "3 of 4"
    assert lines[0]["printed"] == lines[1]["printed"] != ""
    assert "(jit-table8)" in lines[0]["printed"]
    assert lines[1]["kept epoch"] == lines[1]["seconds"] == lines[2]["printed"] == ""


def test_a_model_that_has_learned_nothing_is_called_so() -> None:
    line = str(Trained(Needed("retrained", SCENARIO), 4, {"test_acc": 1.01}))
    assert (
        line == "vgg11_133m on cifar100@1000, retrained without rocket: test accuracy 1.0 %, which is chance"
    )
    assert "chance" not in str(Trained(Needed("retrained", SCENARIO), 4, {"test_acc": 2.0}))


def test_a_model_is_described_in_a_line() -> None:
    line = str(Trained(Needed("recorded", SCENARIO), 4, {"steps": 7, "seconds": 1.0}))
    assert line == "vgg11_133m on cifar100@1000, recorded steps of rocket: 7 training steps, trained in 1.0 s"
    line = str(Trained(Needed("user", SCENARIO), 4, {"test_acc": 60.0}))
    assert line == "vgg11_133m on cifar100@1000, your checkpoint: test accuracy 60.0 %"
