from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from matplotlib import rc_context

from analysis.drawing import search as plots
from analysis.errors import AnalysisError
from analysis.report import benchmark as benchmark_sections
from analysis.report import render as report
from analysis.report.page import picture
from analysis.report.render import render, write_report
from analysis.report.search import check
from analysis.results import load
from analysis.studies import progress
from tests.analysis.conftest import (
    class_rows,
    frame,
    measured,
    printed_rows,
    sample_rows,
    search_rows,
    step_rows,
    transfer_rows,
    trial,
    write,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def page(results: Path) -> str:
    return render(results)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not rendered, because rendering takes most of a report's time."""
    monkeypatch.setattr("analysis.report.page._svg", lambda figure, letters: "<svg/>")


def sections(page: str) -> list[str]:
    """The chapters' names, without the prefix of their part."""
    return re.findall(r'<section id="(?:part\d+-)?(\w+)"', page)


def test_it_loads_nothing_from_anywhere(page: str) -> None:
    """`test_report_page` checks the requests of its script in a browser."""
    assert set(re.findall(r'src="([^"]{5})', page)) == {"data:"}
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', page))
    assert "url(" not in page
    assert "@import" not in page
    assert "<script src" not in page
    assert "<link" not in page


def test_every_chapter_is_present_and_linked(page: str) -> None:
    expected = [
        "answer",
        "results",
        "claims",
        "presets",
        "searches",
        "check",
        "classes",
        "collateral",
        "sensitivity",
        "importance",
    ]
    expected += ["entropy", "failures", "provenance", "columns"]
    names = sections(page)
    assert names == [name for name in expected if name != "check"]  # the benchmark ran other parameters
    assert set(re.findall(r'href="#(\w+)"', page)) == {*names, "main"}


def test_the_main_table_holds_the_figures_and_marks_the_best(page: str) -> None:
    main = page.split('<section id="results">')[1].split("</section>")[0]
    assert "tuned + transferred" in main
    assert "<strong>13.0 ± 1.1</strong>" in main  # of 12 and 14, three times each: std 1.095
    assert "60.0 ± 0.0" in main
    assert "<strong>60.0" not in main
    assert "jit (tuned on 8 + transferred) comes nearest to retraining: 13.0 ± 1.1 points away" in main


def test_failures_versions_and_column_meanings_are_shown(page: str) -> None:
    assert "weights are not finite" in page
    assert "1 of 59 trials failed (1.7%)" in page
    assert "laptop" in page
    assert "what param_lr means" in page


def test_every_figure_says_what_it_shows(page: str) -> None:
    captions = re.findall(r"<figcaption>(.+?)</figcaption>", page, re.S)
    assert len(captions) == page.count("<figure") > 5
    assert all(len(text) > 40 for text in captions)
    sentence = "Over lr the distance to retrain is lowest at 0.01 (2.5 points), 11.5 at the centre,"
    assert any(sentence in text for text in captions)


def test_the_check_on_fresh_seeds_names_both_sources(tmp_path: Path) -> None:
    rows = search_rows()
    winner = min((row for row in rows if row["gap"]), key=lambda row: row["gap"])
    same = {"param_lr": winner["param_lr"], "param_sigma": winner["param_sigma"]}
    write(tmp_path, [*rows, *(measured("jit", s, gap=7.0, **same) for s in (1, 2))])
    section = check(load.trials(tmp_path))
    assert section is not None
    text = " ".join(section.text)
    assert "on 2 seeds that it never saw" in text
    assert "This difference has two causes" in text
    assert [
        w for w in ("2.0 points worse", "luck of the pick", "validation", "test images") if w not in text
    ] == []


def test_the_check_on_other_draws_names_them_as_a_source(tmp_path: Path) -> None:
    fields = {"task": "random", "forget": "40"}
    fresh = [measured("jit", n, gap=6.0 + n, draw=n, trial_id=f"draw{n}", **fields) for n in (0, 1, 2)]
    write(tmp_path, [trial(0, gap=4.0, **fields), *fresh])
    section = check(load.trials(tmp_path))
    assert section is not None
    text = " ".join(section.text)
    assert "has 7.5 ± 0.7 on 2 draws that it never saw, 3.5 points worse" in text
    assert "This difference has three causes" in text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        (search_rows(), {"results", "classes", "check", "collateral", "entropy"}),
        ([measured("jit", 1), measured("retrain", 1)], {"searches", "sensitivity", "importance", "failures"}),
        ([trial(i, state="failed", error="out of memory") for i in range(3)], {"results", "sensitivity"}),
        ([trial(0)], {"results", "sensitivity"}),
        ([measured("jit", 1, state="failed")], {"entropy"}),
        (
            [measured("jit", s, task="random", forget="100", forget_split="train") for s in (1, 2)],
            {"searches"},
        ),
    ],
)
def test_chapters_without_data_are_left_out(tmp_path: Path, rows: list, missing: set[str]) -> None:
    write(tmp_path, rows)
    names = sections(render(tmp_path))
    assert not missing & set(names)
    assert {"provenance", "columns"} <= set(names)


@pytest.mark.usefixtures("undrawn")
def test_several_scenarios_get_a_table_each_and_random_its_note(tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", 1), measured("jit", 1, task="random", forget="100")])
    page = render(tmp_path)
    first, second = (chapter(page, f"part{i}-results") for i in (1, 2))
    assert first.count("<table>") == second.count("<table>") == 1
    assert "training images themselves" in second
    assert "Mean ± standard deviation" in first
    assert "Mean ± standard deviation" not in second  # it was said
    matrix = chapter(page, "overview")
    assert re.findall(r"<th[^>]*>([^<]+)</th>", matrix) == [
        "Method",
        "digits, cnn2, full_class",
        "digits, cnn2, random",
    ]


@pytest.mark.usefixtures("undrawn")
def test_two_plans_on_a_scenario_share_no_table(tmp_path: Path) -> None:
    runs = {"one": 3.0, "two": 4.0}
    rows = [
        measured("jit", i, gap=gap, trial_id=f"{plan}{i}", run_id=f"{plan}-benchmark-0123abcd")
        for plan, gap in runs.items()
        for i in range(2)
    ]
    write(tmp_path, rows)
    page = render(tmp_path)
    for i, (plan, gap) in enumerate(runs.items(), 1):
        assert f"<h2>digits, cnn2, full_class: {plan}</h2>" in page
        assert f"{gap} ± 0.0" in chapter(page, f"part{i}-results")
        assert f"{7.0 - gap} ± 0.0" not in chapter(page, f"part{i}-results")


@pytest.mark.usefixtures("undrawn")
def test_the_answer_stands_first_with_the_plan_and_its_command(tmp_path: Path) -> None:
    gaps = {"retrain": [1.0, 1.2, 1.1], "jit": [3.0, 3.3, 3.2], "ssd": [9.0, 9.1, 9.2]}
    run = {"run_id": "mine-benchmark-0123abcd"}
    write(
        tmp_path,
        [
            measured(m, i, gap=gap, trial_id=f"{m}{i}", **run)
            for m, values in gaps.items()
            for i, gap in enumerate(values)
        ],
    )
    (tmp_path / "_runs").mkdir()
    record = "plan: {name: mine, dataset: digits, seed: 0, checkpoint: null, search: {space: {}, trials: 9}}"
    (tmp_path / "_runs" / "mine-benchmark-0123abcd.x.yaml").write_text(record)
    page = render(tmp_path)
    assert sections(page)[0] == "answer"
    first = chapter(page, "answer")
    assert "jit comes nearest to retraining: 3.2 ± 0.2 points away, in 0.50 s." in first
    assert re.search(r"Its parameters \(tuned\): .*lr = 0\.1", first)
    assert "Every other method is further away: on the same seeds" in first
    assert "jit is further away than that by" in first
    assert "unlearn run mine.yaml --results" in first
    assert "name: mine\ndataset: digits\nseed: 0\nsearch:\n  trials: 9" in first
    assert "checkpoint" not in first


@pytest.mark.usefixtures("undrawn")
def test_a_search_alone_says_that_its_best_is_too_hopeful(tmp_path: Path) -> None:
    write(tmp_path, search_rows())
    first = chapter(render(tmp_path), "answer")
    assert "In the search jit came nearest to retraining" in first
    assert "too hopeful" in first
    assert "cannot be distinguished" not in first


@pytest.mark.usefixtures("undrawn")
def test_a_single_repetition_claims_nothing(tmp_path: Path) -> None:
    write(tmp_path, [measured(m, 1, gap=gap) for m, gap in (("retrain", 1.0), ("jit", 1.0), ("ssd", 2.0))])
    first = chapter(render(tmp_path), "answer")
    assert "One repetition cannot tell methods apart" in first
    assert "more repetitions" in first
    assert "cannot be distinguished" not in first.replace("nearest, or cannot be distinguished from it", "")


@pytest.mark.usefixtures("undrawn")
def test_what_else_was_measured_and_forgetting_quality_have_their_tables(tmp_path: Path) -> None:
    fields = {"retain_train_acc": 90.0, "test_acc": 80.0, "target_test_acc": 81.0}
    rows = [
        measured(m, seed, trial_id=f"{m}{seed}", **fields) for m in ("retrain", "jit") for seed in range(8)
    ]
    page = render_with(tmp_path, rows)
    results = page.split('<section id="results">')[1].split("</section>")[0]
    assert "every other metric" in results
    assert "80.0 ± 0.0" in results
    quality = page.split('<section id="quality">')[1].split("</section>")[0]
    cells = re.findall(r"<td>(retrain|jit \(tuned\))" + r"<td class=n>([\d.]+)" * 4, quality)
    assert cells[0] == ("retrain", "8", "1.00", "1.00", "1.00")
    # Of jit every threshold is wrong about nobody, of retrain about a half at best
    ours, theirs = (2 ** (-12 / (1 + rate / 0.8)) for rate in (0.1, 0.9))
    assert cells[1] == ("jit (tuned)", "8", f"{ours / theirs:.2f}", "1.00", f"{ours / theirs:.2f}")


def render_with(folder: Path, rows: list) -> str:
    """The report of some trials whose models have the same loss for every forgotten image, except for jit."""
    write(folder, rows)
    loss = {"retrain": 1.0, "jit": 2.0}
    write(folder, [row | {"loss": loss[row["method"]]} for row in sample_rows(rows)], "samples")
    return render(folder)


MARKUP = "<b>x</b>"
NASTY = [r"5$ \frac{ 6$", "two\nlines \x1b[31m", "=_\N{RED APPLE}^ تفاح", "long" * 60]


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The drawn report of results with names that contain markup, mathematics and control characters."""
    folder = tmp_path_factory.mktemp("nasty")
    rows = [
        measured(m, 1, forget=name, tuned_on=name, preset=p, regime=r, trial_id=f"{m}{name}{r}")
        for name in (*NASTY, MARKUP)
        for m, r, p in (("retrain", "", ""), ("jit", "tuned", ""), ("jit", "published", name))
    ]
    sequence = measured("jit", 1, task="sequence", forget=">".join(NASTY[:3]), trial_id="sequence")
    write(folder, [*rows, sequence, trial(0, state="failed", error="<script>alert(1)")])
    write(folder, [row | {"class": NASTY["ABF".index(row["class"])]} for row in class_rows(rows)], "classes")
    write(folder, sample_rows(rows), "samples")
    write(folder, step_rows(sequence, *[{"retain_acc": 1.0, "forget_acc": 1.0, "gap": 1.0}] * 3), "steps")
    return render(folder)


def test_figures_show_names_as_they_are(nasty: str) -> None:
    codes = re.findall(r'src="data:image/svg\+xml,([^"]+)"', nasty)
    drawn = [ElementTree.fromstring(unquote(code)) for code in codes]
    assert len(drawn) >= 4
    texts = {text for svg in drawn for text in svg.itertext()}
    assert {NASTY[0], r"two\nlines \x1b[31m", NASTY[2]} <= texts
    assert NASTY[3] not in texts
    assert {text for text in texts if text.startswith("longlong")}


def test_names_cannot_break_the_page(nasty: str) -> None:
    assert "<script>alert" not in nasty
    assert "&lt;script&gt;alert(1)" in nasty
    assert "<b>x" not in nasty
    assert "&lt;b&gt;x" in nasty


def test_pages_show_names_as_they_are(nasty: str) -> None:
    assert {"results", "classes", "collateral", "entropy", "sequence"} <= set(sections(nasty))
    assert r">two\nlines \x1b[31m<" in nasty
    assert f">{NASTY[0]}<" in nasty
    assert f">{NASTY[3]}<" in nasty
    assert not [c for c in nasty if ord(c) < 32 and c != "\n"]


@pytest.mark.parametrize(
    "setting",
    [
        {"MPLBACKEND": "module://another.environment", "MATPLOTLIBRC": ""},
        {"MPLBACKEND": "TkAgg", "MATPLOTLIBRC": "mine"},
    ],
)
def test_a_notebooks_settings_of_matplotlib_do_not_end_the_report(
    tmp_path: Path, setting: dict[str, str]
) -> None:
    (tmp_path / (setting["MATPLOTLIBRC"] or "matplotlibrc")).write_bytes(b"\xff\xfe broken")
    code = (
        "import analysis.report.render; from analysis.report.page import picture\n"
        "from analysis.drawing.style import panels\n"
    )
    code += "print(picture(panels(1, 1, 2, 2)[0], '').uri[:14])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), **setting}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "data:image/svg\n", done.stderr


def test_settings_of_matplotlib_change_no_figure() -> None:
    data = progress(frame([trial(0), trial(1)]))
    expected = picture(plots.progress(data), "x")
    with rc_context({"text.parse_math": True, "axes.formatter.use_mathtext": True, "font.size": 30.0}):
        assert picture(plots.progress(data), "x") == expected


@pytest.fixture
def made(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are written without being rendered again."""
    monkeypatch.setattr(report, "render", lambda results: page)


@pytest.mark.usefixtures("made")
def test_it_is_written_whole_and_beside_nothing(tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", 1)])
    path = Path(write_report(tmp_path))
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "trials"]
    assert Path(write_report(tmp_path, tmp_path / "deep" / "page.html")).exists()


@pytest.mark.usefixtures("made")
def test_a_file_that_cannot_be_written_is_an_error_of_a_line(tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", 1)])
    (tmp_path / "file").write_text("")
    with pytest.raises(AnalysisError, match=r"cannot write the report .*--out"):
        write_report(tmp_path, tmp_path / "file" / "report.html")


def test_the_same_figure_gives_the_same_bytes() -> None:
    data = progress(frame([trial(0), trial(1)]))
    assert picture(plots.progress(data), "x") == picture(plots.progress(data), "x")


def chapter(page: str, name: str) -> str:
    return re.split(f'<section id="{name}"[^>]*>', page)[1].split("</section>")[0]


@pytest.mark.usefixtures("undrawn")
def test_the_papers_tables_stand_beside_ours(tmp_path: Path) -> None:
    figures = {"retrain": (63.2, 0.0, 10.4), "jit": (66.2, 14.3, 2.9), "ssd": (60.0, 0.0, 5.0)}
    write(tmp_path, [row for m in figures for row in printed_rows(m, "rocket", figures[m])])
    text = chapter(render(tmp_path), "comparison")
    assert "JiT, table 8 (cifar100, vgg11, full_class), run as cifar100, vgg11_133m:" in text
    assert "of 236 printed cells 224 have no figure here" in text  # 3 methods x 4 figures are there
    assert re.search(r"<td>jit<td>tuned<.*?<td[^>]*>14.2 ± 0.6<", text, re.S)
    assert re.search(r"<summary>[^<]*figures that were never run", text)
    assert "2 methods can be ranked on both sides" in text
    assert "Scaled:" not in text


@pytest.mark.usefixtures("undrawn")
def test_a_scaled_experiment_says_so_in_title_and_chapters(tmp_path: Path) -> None:
    fields = {"dataset": "cifar100@1000", "model": "vgg11@64"}
    write(tmp_path, printed_rows("jit", "rocket", (66.0, 14.0, 3.0), **fields))
    page = render(tmp_path)
    assert "<h1>Unlearning on cifar100@1000 with vgg11@64 (scaled)</h1>" in page
    for name in ("results", "comparison"):
        assert "cifar100@1000 is 1000 training images of cifar100" in chapter(page, name)
        assert "vgg11@64 is vgg11 for images of 64 pixels" in chapter(page, name)
        assert "cifar100@1000, vgg11@64" in chapter(page, name)


@pytest.mark.usefixtures("undrawn")
def test_the_cost_of_transferred_parameters_is_a_sentence(tmp_path: Path) -> None:
    gaps = {("8", "8"): [1.0, 1.0], ("2", "8"): [3.0, 5.0], ("2", "2"): [2.0, 2.0], ("8", "2"): [2.0, 4.0]}
    write(tmp_path, transfer_rows(gaps))
    page = render(tmp_path)
    text = chapter(page, "transfer")
    assert "parameters of another forget set cost jit +2.0 points" in text
    assert "<td>jit<" in text
    assert "transferred" not in chapter(page, "results")  # from several sets: only in their own chapter


@pytest.mark.usefixtures("undrawn")
def test_a_sequence_has_its_chapter(tmp_path: Path) -> None:
    row = measured("jit", 1, task="sequence", forget="0>2")
    write(tmp_path, [row])
    states = ({"gap": 1.0, "retain_acc": 90.0, "forget_acc": 0.0}, {"gap": 7.5, "retain_acc": 80.0})
    write(tmp_path, step_rows(row, *states), "steps")
    text = chapter(render(tmp_path), "sequence")
    assert "forgetting 0 then 2" in text
    assert "jit (tuned) goes from 1.0 to 7.5 points" in text


@pytest.mark.usefixtures("undrawn")
def test_people_are_measured_on_training_images_like_random_ones(tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", 1, task="identities", forget="p1+p2", forget_split="train")])
    assert "In the task identities no image of the forget set is held out" in render(tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_results_of_older_versions_have_no_new_chapters(tmp_path: Path) -> None:
    write(tmp_path, [measured("jit", 1)])
    [path] = tmp_path.rglob("*.parquet")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["tuned_on"]), path)
    assert not {"comparison", "transfer", "sequence"} & set(sections(render(tmp_path)))


def test_the_start_of_a_retrained_model_is_named_where_it_was_not_fresh() -> None:
    vit = {"dataset": "cifar10", "model": "vit_b16"}
    rows = [
        measured("jit", 1, retrained_from="fresh"),
        measured("jit", 1, **vit, retrained_from="pretrained", trial_id="b"),
        measured("jit", 1, model="mine", retrained_from="checkpoint", trial_id="c"),
        measured("jit", 1, model="old", trial_id="d"),
    ]
    (_, pretrained), (_, user_defined) = (text.split(" ", 1) for text in start_sentences(rows))
    assert pretrained.startswith(
        "cifar10, vit_b16 the retrained model started from published weights, except for"
    )
    assert user_defined.startswith(
        "digits, mine the retrained model started from weights that only its owner knows"
    )
    assert start_sentences(rows[:1]) == start_sentences(rows[3:]) == []


def start_sentences(rows: list[dict]) -> list[str]:
    """The sentences about starting weights in the chapter of results."""
    section = benchmark_sections.results(frame(rows))
    assert section is not None
    return [s for text in section.text for s in text.replace(" On ", "\nOn ").split("\n") if "started" in s]


def test_several_folders_stand_side_by_side_also_where_they_ran_the_same_plan(
    undrawn: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("laptop", "cluster"):
        rows = [
            measured("jit", 1),
            measured("retrain", 1),
            trial(0, gap=3.0),
            trial(1, state="failed", error="no"),
        ]
        write(tmp_path / name, rows)
    assert write_report(["laptop", "cluster"]) == "./report.html"
    page = (tmp_path / "report.html").read_text()
    titles = [f"{name}: digits, cnn2, full_class" for name in ("laptop", "cluster")]
    assert all(title in page for title in titles)
    anchors = re.findall(r'\bid="([^"]*)"', page)
    assert len(anchors) == len(set(anchors))
    drawn = [set(re.findall("[0-9a-f]{12}", data)) for data in re.findall(r'data-kind="history" (.*)>', page)]
    assert [len(keys) for keys in drawn] == [1, 1]
    assert drawn[0] != drawn[1], "searches of their own"
    assert all(f"Failures: {name}" in page for name in ("laptop", "cluster"))
    assert page.count("<h2>Columns</h2>") == 1
    assert "8 trials" in page
