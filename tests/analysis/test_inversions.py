from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.drawing import inversions as inversion_charts
from analysis.errors import AnalysisError
from analysis.inversions import pixels, shown
from analysis.report.models import inverted, on_the_way
from tests.analysis.conftest import Row, frame, measured, progress_rows


def png(value: int, side: int = 4) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.full((side, side), value, np.uint8)).save(stream, "png")
    return base64.b64encode(stream.getvalue()).decode()


def tables(shares: dict[tuple[str, int], float], images: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(Method, seed) -> percent recognised; the grey of a trial's images depends on its seed."""
    rows: list[Row] = []
    pictures = []
    for (method, seed), share in shares.items():
        row = measured(method, seed, tuned_on="" if method in ("original", "retrain") else "8")
        rows.append(row)
        for i in range(images):
            taken = "8" if i < images * share / 100 else "3"
            selected = {name: row[name] for name in ("run_id", "trial_id", "forget")}
            pictures.append({**selected, "image": i, "shows": "8", "recognised": taken, "png": png(seed)})
    return frame(rows).assign(inversion=list(shares.values())), pd.DataFrame(pictures)


SHARES = {("jit", 2): 100.0, ("jit", 1): 50.0, ("retrain", 1): 25.0, ("original", 1): 75.0}


def test_the_first_model_is_shown_beside_the_mean_of_all() -> None:
    table = shown(*tables(SHARES))
    assert list(dict.fromkeys(table["method"])) == ["original", "retrain", "jit"]
    jit = table[table["method"] == "jit"]
    assert len(jit) == 4
    assert {pixels(text)[0, 0, 0] for text in jit["png"]} == {1}
    assert jit["inversion_mean"].iloc[0] == 75.0
    assert jit["inversion_std"].iloc[0] == pytest.approx(np.std([100, 50], ddof=1))
    assert jit["n"].iloc[0] == 2
    assert jit["recognised"].tolist() == ["8", "8", "3", "3"]


def test_trials_without_images_and_tables_without_the_metric_show_nothing() -> None:
    trials, images = tables(SHARES)
    assert shown(trials.drop(columns="inversion"), images).empty
    assert shown(trials, images.iloc[:0]).empty
    assert inverted(trials, images.iloc[:0]) is None


def test_the_grid_frames_what_is_recognised_and_says_how_often() -> None:
    figure = inversion_charts.grid(shown(*tables(SHARES)))
    assert [len(axes.patches) for axes in figure.axes] == [3, 1, 2]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["original: recognised 75 %", "retrain: recognised 25 %", "jit (tuned): recognised 75 %"]
    image = figure.axes[2].images[0].get_array()
    assert image is not None
    assert (np.asarray(image)[:4, :4] == 1).all()
    assert (np.asarray(image)[:4, 4] == 255).all()


@pytest.mark.parametrize("text", ["", "no base64!", base64.b64encode(b"no picture").decode(), png(1)[:40]])
def test_what_is_no_picture_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(AnalysisError, match="'inversions' has an image that is not a PNG"):
        pixels(text)


def test_a_picture_that_would_take_much_memory_is_refused() -> None:
    with pytest.raises(AnalysisError, match="not a PNG"):
        pixels(png(0, side=1025))


def test_the_chapter_names_the_references_and_the_method_that_shows_most() -> None:
    section = inverted(*tables(SHARES))
    assert section is not None
    picture, table = section.blocks
    assert "original 75 %, retrain 25 %, at most 75 % of a method (jit (tuned))" in picture.caption
    assert [[cell.text for cell in row] for row in table.rows] == [  # type: ignore[union-attr]
        ["original", "75.0", "1"],
        ["retrain", "25.0", "1"],
        ["jit (tuned)", "75.0 ± 35.4", "2"],
    ]


def test_the_chapter_on_the_way_names_who_was_nearer_before_its_end() -> None:
    rows = [measured(method, 1, tuned_on="8") for method in ("jit", "ssd")]
    points = pd.DataFrame([point for row in rows for point in progress_rows(row)])
    selected = points["trial_id"] == rows[0]["trial_id"]
    points.loc[selected, "gap"] = [8.0, 2.0, 6.0, 7.0]
    points.loc[~selected, "gap"] = [8.0, 6.0, 4.0, 3.0]
    section = on_the_way(frame(rows), points)
    assert section is not None
    [picture] = section.blocks
    assert picture.caption.endswith(
        "jit (tuned) is 2.0 points from retrain after 50 % of its steps and 7.0 at its end."
    )
    points.loc[selected, "gap"] = [8.0, 6.0, 4.0, 3.0]
    section = on_the_way(frame(rows), points)
    assert section is not None
    assert section.blocks[0].caption.endswith("every method is nearest to retrain at its end.")
    assert on_the_way(frame(rows), points.iloc[:0]) is None
