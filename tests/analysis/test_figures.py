"""Every figure by name: its numbers, its files, and its errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis import figures
from analysis.errors import AnalysisError
from analysis.figures import Choice, Plot
from analysis.figures.catalogue import FIGURES, PRINTED
from analysis.figures.typesetting import typeset
from tests.analysis.conftest import (
    Row,
    benchmark_rows,
    measured,
    progress_rows,
    sample_rows,
    step_rows,
    transfer_rows,
    trial,
    write,
)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, results: Path) -> Path:
    """Results from which most figures can be drawn: two searched sets, a sequence."""
    folder = tmp_path_factory.mktemp("everything")
    gaps = {(a, b): [1.0, 2.0] for a in "38" for b in "38"}
    write(folder, [{**row, "run_id": "bench-2"} for row in transfer_rows(gaps)])
    write(folder, [dampened("ssd", seed) for seed in (1, 2)])
    requests = [
        measured("jit", seed, run_id="sequence-1", task="sequence", forget="0>1", tuned_on="0>1")
        for seed in (1, 2)
    ]
    write(folder, requests)
    states = (
        {"retain_acc": 90.0, "forget_acc": 5.0, "gap": 3.0},
        {"retain_acc": 80.0, "forget_acc": 1.0, "gap": 5.0},
    )
    write(folder, [row for request in requests for row in step_rows(request, *states)], "steps")
    gkt = [measured("gkt", seed, run_id="bench-gkt", task="sub_class", tuned_on="8") for seed in (1, 2)]
    write(folder, gkt)
    write(folder, [row for trial_row in gkt for row in progress_rows(trial_row)], "progress")
    for name in ("trials", "classes", "samples"):
        for file in (results / name).rglob("*.parquet"):
            copy = folder / file.relative_to(results)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    return folder


@pytest.mark.parametrize("name", [*FIGURES, *PRINTED])
def test_every_figure_is_drawn_with_its_numbers_or_says_what_to_run(name: str, everything: Path) -> None:
    without = ("ranks", "stopping", "zero-shot-3", "zero-shot-5", "inversion", "losses", "akbari-4")
    if name in (*without, "destinations"):
        with pytest.raises(AnalysisError, match="to draw '"):
            figures.figure(name, everything)
        return
    for plot in figures.figure(name, everything):
        assert plot.name.startswith(f"{name}-")
        assert len(plot.data) > 0
        assert plot.caption.endswith(".")
        assert plot.figure.axes


def test_a_choice_leaves_the_references_in(everything: Path) -> None:
    [plot] = figures.breakdown(everything, Choice(methods=["jit"], tasks=["full_class"], forget=["8"]))
    assert set(plot.data["method"]) == {"original", "retrain", "jit"}
    assert set(plot.data["forget"]) == {"8"}


def test_a_name_that_is_not_in_the_results_is_refused_with_those_that_are(everything: Path) -> None:
    with pytest.raises(AnalysisError, match="no method 'jti' in these results; there are: gkt, jit"):
        figures.breakdown(everything, Choice(methods=["jti"]))


def test_unknown_figures_are_refused_with_the_nearest_name(everything: Path) -> None:
    with pytest.raises(AnalysisError, match="unknown figure 'sensitivty'; did you mean 'sensitivity'"):
        figures.figure("sensitivty", everything)
    with pytest.raises(AnalysisError, match="there are: breakdown, "):
        figures.figure("?", everything)


def test_runtime_is_the_median_with_its_quartiles(tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", seed, tuned_on="8", unlearn_s=float(seed)) for seed in range(1, 6)])
    [plot] = figures.runtime(tmp_path)
    [row] = plot.data.to_dict("records")
    assert (row["unlearn_s"], row["low"], row["high"], row["n"]) == (3.0, 2.0, 4.0, 5)


def dampened(method: str, number: int, **values: Any) -> Row:
    """SSD: 2,000 training images of which 100 are forgotten, 10 ms each, and .5 s for the weights."""
    fields = {"run_id": f"bench-{method}", "forget": "8", "tuned_on": "8", "forget_count": 100}
    spent = {"unlearn_s": 21.5 + number, "shared_s": 21.0 + number, "samples_forward": 2100}
    return measured(method, number, **{**fields, **spent, **values})


def test_the_seconds_of_ssd_are_taken_apart_and_counted_without_the_stored_part(tmp_path: Path) -> None:
    rows = [dampened("ssd", seed, shared_s=21.0, unlearn_s=21.0 + seed) for seed in (1, 2)]
    rows += [measured("jit", 1, tuned_on="8", shared_s=0.0), dampened("lfssd", 1, shared_s=None)]
    write(tmp_path, rows)
    [plot] = figures.figure("ssd-2", tmp_path)
    parts = plot.data.set_index("method")[["all_s", "forget_s", "dampen_s"]]
    assert parts.loc["ssd"].tolist() == pytest.approx([20.0, 1.0, 1.5])
    assert parts.loc[["jit", "lfssd"]].isna().all(axis=None)
    above, below = plot.figure.axes
    assert len(above.get_yticks()) == 3
    assert [bar.get_width() for bar in below.patches] == pytest.approx([20.0, 1.0, 1.5, 1.0, 1.5])
    assert [text.get_text().strip() for text in below.texts] == ["89 % less"]


def test_rows_that_do_not_say_what_was_shared_cannot_be_taken_apart(tmp_path: Path) -> None:
    write(tmp_path, [dampened("ssd", 1, shared_s=None)])
    with pytest.raises(AnalysisError, match="rows of older versions lack the column 'shared_s'"):
        figures.dampening(tmp_path)


def test_the_attack_is_compared_with_retraining_on_the_same_forget_set(tmp_path: Path) -> None:
    rows = [measured("retrain", 1, forget=f, mia=m) for f, m in (("3", 50.0), ("8", 10.0))]
    rows += [measured("jit", 1, forget="8", tuned_on="8", mia=14.0)]
    write(tmp_path, rows)
    [plot] = figures.measures(tmp_path)
    [jit] = plot.data[plot.data["method"] == "jit"].to_dict("records")
    assert jit["mia_difference"] == pytest.approx(4.0), (
        "not 16, the distance to retrain's mean over both sets"
    )


def test_stopping_has_a_panel_per_threshold_with_lines_over_the_batches(tmp_path: Path) -> None:
    rows = [
        trial(
            i, method="gkt", kind="sensitivity", regime="", run_id="sense-1", seed=1, param_lr=None,
            param_sigma=None, param_n=None, param_pseudo_batches=200, param_threshold=threshold,
        )
        for i, threshold in enumerate((0.001, 0.1, 0.01))
    ]  # fmt: skip
    _write_with(tmp_path, rows)
    write(tmp_path, [point for row in rows for point in progress_rows(row)], "progress")
    [plot] = figures.stopping(tmp_path)
    titles = [axes.get_title(loc="left") for axes in plot.figure.axes]
    assert titles == ["threshold 0.1", "threshold 0.01", "threshold 0.001"]
    first = plot.figure.axes[0].lines[0].get_xydata()
    assert first is not None
    assert first.tolist() == [[50, 20], [100, 40], [150, 60], [200, 80]]


def test_losses_stand_over_those_of_the_retrained_model(tmp_path: Path) -> None:
    rows = benchmark_rows()
    write(tmp_path, rows)
    samples = [{**row, "loss": row["entropy"] * 2} for row in sample_rows(rows)]
    write(tmp_path, samples, "samples")
    [plot] = figures.losses(tmp_path)
    assert plot.data["loss"].max() == pytest.approx(2.0)
    assert "Loss (nats)" in {axes.get_xlabel() for axes in plot.figure.axes}


@pytest.mark.parametrize("form", ["pdf", "svg", "png"])
def test_the_same_figure_gives_the_same_bytes(form: str, everything: Path, tmp_path: Path) -> None:
    def drawn(name: str) -> bytes:
        [plot] = figures.breakdown(everything, Choice(tasks=["full_class"], forget=["8"]))
        typeset(plot.figure)
        return plot.save(tmp_path / f"{name}.{form}").read_bytes()

    first = drawn("a")
    assert first == drawn("b")
    assert first.startswith({"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[form])


def test_a_picture_is_refused_where_it_cannot_be_written(everything: Path, tmp_path: Path) -> None:
    [plot] = figures.breakdown(everything, Choice(tasks=["full_class"], forget=["8"]))
    with pytest.raises(AnalysisError, match=r"end its name with \.pdf, \.svg, \.png"):
        plot.save(tmp_path / "figure.jpeg")
    with pytest.raises(AnalysisError, match="cannot write"):
        plot.save(tmp_path / "absent" / "figure.pdf")


def test_a_notebook_shows_the_figure_with_its_caption(everything: Path) -> None:
    plots = figures.breakdown(everything, Choice(forget=["8"], tasks=["full_class"]))
    page = plots._repr_html_()
    assert page.startswith("<figure><svg")
    assert "<figcaption>digits, cnn2, full_class: mean" in page


def test_typesetting_uses_the_papers_symbols(everything: Path) -> None:
    [plot] = figures.figure("jit-7", everything)
    typeset(plot.figure)
    axes = plot.figure.axes
    labels = {a.get_xlabel() for a in axes} | {a.get_ylabel() for a in axes}
    assert {r"$\eta$", r"$\sigma$", "$\\mathcal{D}_r$ accuracy\n(%)"} <= labels


@pytest.mark.parametrize("name", ["breakdown", "entropy", "measures", "slices", "runtime", "collateral"])
def test_a_figure_is_as_wide_as_the_column_and_nothing_leaves_it(name: str, everything: Path) -> None:
    for plot in figures.figure(name, everything, Choice(tasks=["full_class"]), width=3.25):
        typeset(plot.figure)
        plot.figure.draw_without_rendering()
        assert plot.figure.get_figwidth() == pytest.approx(3.25)
        edge = plot.figure.bbox
        for legend in plot.figure.legends:
            box = legend.get_window_extent()
            assert box.x0 >= edge.x0 - 2
            assert box.x1 <= edge.x1 + 2


def test_a_dollar_in_a_name_stays_a_dollar(tmp_path: Path) -> None:
    write(tmp_path, [measured("retrain", 1, forget="$x$"), measured("jit", 1, forget="$x$", tuned_on="$x$")])
    [plot] = figures.breakdown(tmp_path)
    typeset(plot.figure)
    [tick] = plot.figure.axes[0].get_xticklabels()
    assert (tick.get_text(), tick.get_parse_math()) == ("$x$", False)


def test_names_of_files_hold_no_separator(tmp_path: Path) -> None:
    write(tmp_path, [trial(i, forget="a/b c", param_lr=0.1 * (i + 1)) for i in range(3)])
    [plot] = figures.history(tmp_path)
    assert isinstance(plot, Plot)
    assert plot.name == "history-digits-cnn2-full_class-a_b_c-jit"


def _write_with(folder: Path, rows: list[dict[str, object]]) -> None:
    """Rows with GKT's columns, which the tables of the other tests do not have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = folder / "trials/dataset=digits/model=cnn2/task=full_class/method=gkt/sense-1.parquet"
    file.parent.mkdir(parents=True)
    cells = [
        {k: v for k, v in row.items() if k not in ("dataset", "model", "task", "method")} for row in rows
    ]
    table = pa.Table.from_pylist(cells)
    pq.write_table(table.replace_schema_metadata({b"unlearnbench.schema": b"1"}), file)
