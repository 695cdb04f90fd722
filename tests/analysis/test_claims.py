"""Claims about methods and retraining: the runs compared, the verdicts, and their rate of errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from analysis import cli
from analysis.claims import (
    AS_RETRAINING,
    DIFFERS,
    IDENTICAL,
    TOO_FEW,
    claims,
    claims_by_forget,
    holm,
    together,
)
from analysis.errors import AnalysisError
from analysis.report.claims import claims as chapter
from analysis.report.claims_sentences import how_to_read, shown, verdict
from tests.analysis.conftest import Row, frame, measured, write


def runs(
    method: str, values: list[float], forget: str = "8", metric: str = "retain_acc", **more: int
) -> list[Row]:
    """One trial for each value of a metric."""
    name = f"{method}:{forget}:{more}"
    return [
        measured(
            method, seed, forget=forget, tuned_on=forget, trial_id=f"{name}:{seed}", **{metric: value, **more}
        )
        for seed, value in enumerate(values, 1)
    ]


RETRAINED = [94.0, 96.0, 95.0, 93.0, 97.0, 95.5, 94.5, 95.0, 96.5, 93.5]


def claim_of(rows: list[Row], metric: str = "retain_acc", margin: float | None = None) -> pd.Series:
    judged = claims_by_forget(frame(rows), [metric], margin)
    assert len(judged) == 1
    return judged.iloc[0]


def test_each_verdict_with_its_figures() -> None:
    spread = float(np.std(RETRAINED, ddof=1))
    same = claim_of([*runs("retrain", RETRAINED), *runs("jit", [v + 0.1 for v in RETRAINED])])
    assert same["verdict"] == AS_RETRAINING
    assert same["margin"] == pytest.approx(2**0.5 * spread)
    assert (same["n"], same["n_retrain"], same["over"]) == (10, 10, "seeds")
    assert same["difference"] == pytest.approx(0.1)
    assert same["low"] < 0 < same["high"]
    assert pd.isna(same["more"])
    far = claim_of([*runs("retrain", RETRAINED), *runs("jit", [v - 9 for v in RETRAINED])])
    assert far["verdict"] == DIFFERS
    few = claim_of([*runs("retrain", RETRAINED[:4]), *runs("jit", [94.2, 95.1, 94.0, 95.5])])
    assert few["verdict"] == TOO_FEW
    assert 1 <= few["more"] < 100


def test_a_single_seed_is_never_a_claim() -> None:
    for retrained, method in ((RETRAINED, [95.0]), ([95.0], RETRAINED), ([95.0], [20.0]), ([95.0], [95.0])):
        claim = claim_of([*runs("retrain", retrained), *runs("jit", method)])
        assert claim["verdict"] == TOO_FEW
        assert pd.isna(claim["more"])
        assert pd.isna(claim["p_as"])
        assert "one run shows no spread" in verdict(claim)


def test_values_that_never_vary_are_a_fact_and_no_test() -> None:
    claim = claim_of([*runs("retrain", [0.0] * 3), *runs("jit", [0.0] * 3)])
    assert claim["verdict"] == IDENTICAL
    assert claim_of([*runs("retrain", [0.0] * 3), *runs("jit", [1.0] * 3)])["verdict"] == TOO_FEW
    assert claim_of([*runs("retrain", [0.0] * 4), *runs("jit", [1.0] * 4)])["verdict"] == DIFFERS


def test_a_user_defined_margin() -> None:
    rows = [*runs("retrain", RETRAINED), *runs("jit", [v - 3 for v in RETRAINED])]
    assert claim_of(rows)["verdict"] == DIFFERS
    assert claim_of(rows, margin=5.0)["verdict"] == AS_RETRAINING
    assert claim_of(rows, margin=5.0)["margin"] == 5.0
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(AnalysisError, match="give a positive number"):
            claim_of(rows, margin=wrong)
    with pytest.raises(AnalysisError, match="retain_acc"):
        claim_of(rows, metric="retain_ac")


def test_pairs_share_their_draw() -> None:
    """An effect of a draw on both sides is not part of the spread; the margin is from retraining it again."""
    rng = np.random.default_rng(0)
    rows = []
    for draw in range(12):
        level = 10.0 * draw
        for method, off in (("retrain", 0.0), ("jit", 0.2)):
            values = list(level + off + rng.normal(0, 1.0, 3))
            rows += runs(method, values, draw=draw)
    claim = claim_of(rows)
    assert (claim["over"], claim["n"], claim["verdict"]) == ("draws", 36, AS_RETRAINING)
    assert claim["spread"] == pytest.approx(1.0, abs=0.4)
    assert claim["high"] - claim["low"] < 2


def test_with_a_single_retrained_model_per_draw_the_target_is_the_second() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for draw in range(40):
        target = 10.0 * draw + rng.normal()
        rows += runs("retrain", [10.0 * draw + rng.normal()], draw=draw, target_retain_acc=target)
        rows += runs("jit", [10.0 * draw + rng.normal()], draw=draw, target_retain_acc=target)
    claim = claim_of(rows)
    assert claim["spread"] == pytest.approx(1.0, abs=0.3)
    assert claim["verdict"] == AS_RETRAINING


def test_draws_without_a_retrained_model_are_left_out() -> None:
    rows = [*runs("retrain", RETRAINED, draw=0), *runs("jit", RETRAINED, draw=0), *runs("jit", [0.0], draw=1)]
    claim = claim_of(rows)
    assert (claim["over"], claim["n"]) == ("seeds", 10)
    assert claims_by_forget(frame(runs("jit", RETRAINED)), ["retain_acc"]).empty


def test_forget_sets_cannot_cancel_each_other() -> None:
    rows = []
    for forget, off in (("2", 4.0), ("8", -4.0), ("9", 0.0)):
        rows += runs("retrain", RETRAINED, forget)
        rows += runs("jit", [v + off for v in RETRAINED], forget)
    every = claims(frame(rows), ["retain_acc"]).iloc[0]
    assert (every["verdict"], every["differing"], every["same"]) == (DIFFERS, "2, 8", 1)
    assert verdict(every) == "differs on 2, 8"
    alike = claims(frame([row for row in rows if row["forget"] == "9"]), ["retain_acc"]).iloc[0]
    assert alike["verdict"] == AS_RETRAINING


def test_holms_procedure_step_by_step() -> None:
    assert holm(np.array([0.04, 0.01, np.nan, 0.013])).tolist() == [False, True, False, True]
    assert holm(np.array([0.02, 0.02, 0.02])).tolist() == [False, False, False]
    assert holm(np.array([])).tolist() == []


def test_claims_over_all_sets_are_rarely_wrong() -> None:
    """120 benchmarks of four forget sets: at the margin on one of them, and without any difference."""
    rng, sets, seeds = np.random.default_rng(3), list("1234"), 8
    base = {"regime": "tuned", "kind": "benchmark", "state": "complete", "scenario_seed": 0, "draw": 0}
    names = [f"set{number}" for number in range(120)]
    parts = []
    for method in ("retrain", "jit", "ssd"):
        levels = ["dataset", "forget", "seed"]
        rows = pd.MultiIndex.from_product([names, sets, range(seeds)], names=levels).to_frame(index=False)
        off = np.where((rows["forget"] == "1") & (method == "jit"), 2**0.5, 0.0)
        parts.append(rows.assign(method=method, retain_acc=90 + off + rng.standard_normal(len(rows)), **base))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.assign(
        model="cnn2",
        task="full_class",
        run_id="run",
        trial_id=rows.index.astype(str),
        finished_at=0,
        tuned_on=rows["forget"],
        regime=rows["regime"].where(rows["method"] != "retrain", ""),
    )
    claim = together(claims_by_forget(rows, ["retain_acc"]))
    share = claim.groupby("method")["verdict"].value_counts(normalize=True).unstack(fill_value=0.0)
    assert share.loc["jit", AS_RETRAINING] <= 0.05 + 0.04
    assert share.loc["ssd", DIFFERS] <= 0.05 + 3 * (0.05 / 120) ** 0.5
    assert share.loc["jit", DIFFERS] > 0.3


def test_the_command_prints_verdicts_and_how_to_read_them(tmp_path: Path) -> None:
    rows = []
    for forget in ("2", "8"):
        rows += runs("retrain", RETRAINED, forget)
        rows += runs("jit", [v + 0.1 for v in RETRAINED], forget)
        rows += runs("ssd", [v - 9 for v in RETRAINED], forget)
    write(tmp_path, rows)
    app = typer.Typer()
    cli.register(app)

    def printed(*words: object) -> str:
        done = CliRunner().invoke(app, ["claims", *map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    text = printed(tmp_path)
    assert "as retraining" in text
    assert "differs on 2, 8" in text
    assert "at most 5 %" in text
    lines = printed(tmp_path, "--by", "class", "--format", "csv", "--metric", "retain_acc").splitlines()
    assert len(lines) == 1 + 4
    assert lines[0].startswith("dataset,model,task,method,regime,preset,tuned_on,forget,metric,verdict,more")
    assert "4.0 in the metric's unit" not in printed(tmp_path)
    assert "4 in the metric's unit" in printed(tmp_path, "--margin", 4)
    with pytest.raises(AnalysisError, match=r"unknown metric 'retain_ac'; did you mean 'retain_acc'"):
        claims(tmp_path, ["retain_ac"])  # of which no column was read


def test_a_row_of_each_forget_set_in_words() -> None:
    rows = [*runs("retrain", RETRAINED), *runs("jit", [v - 9 for v in RETRAINED])]
    claim = claims_by_forget(frame(rows), ["retain_acc"])
    [line] = shown(claim).to_dict("records")
    assert (line["Verdict"], line["Difference"], line["Runs"]) == ("differs", "-9.0", "10 and 10")
    assert "over seeds" in how_to_read(claim, None)


def test_the_chapter_says_when_methods_are_not_ranked() -> None:
    rows = []
    for forget in ("2", "8"):
        rows += runs("retrain", RETRAINED, forget)
        rows += runs("jit", [v + 0.1 for v in RETRAINED], forget)
        rows += runs("ssd", [v - 9 for v in RETRAINED], forget)
    each, one = (
        chapter(frame(some), lambda study, name: None, {})
        for some in (rows, [row for row in rows if row["forget"] == "8"])
    )
    assert each is not None
    assert one is not None
    assert not any("not ranked" in text for text in each.text)
    assert any("not ranked" in text for text in one.text)
