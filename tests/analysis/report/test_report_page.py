"""The report in a real Chromium: its drawings, requests and reactions to the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from analysis.report.render import write_report
from tests.analysis.conftest import class_rows, measured, sample_rows, search_rows, sensitivity_rows, write
from tests.browser import Visit, visits
from tests.marks import BROWSER

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = BROWSER
Visiting = Callable[..., Visit]
PUBLISHED = {"regime": "published", "preset": '<img src="x" onerror="alert(1)"> & <b>bold</b>'}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a search of two methods and a benchmark on two scenarios, the second with its plan."""
    folder = tmp_path_factory.mktemp("page")
    runs = {"full_class": "bench-1", "random": "mine-benchmark-0123abcd"}
    done = [
        measured(
            m, i, gap=gap + i / 10, trial_id=f"{m}{run}{i}", run_id=run, task=task, unlearn_s=gap, **values
        )
        for task, run in runs.items()
        for m, gap, values in (("retrain", 2.0, {}), ("jit", 5.0, {}), ("ssd", 9.0, PUBLISHED))
        for i in range(4)
    ]
    other = [row | {"method": "ssd", "trial_id": f"ssd{row['trial_number']}"} for row in search_rows()]
    write(folder, [*search_rows(), *other, *sensitivity_rows(), *done])
    known = [row for row in done if row["method"] != "ssd"]
    write(folder, class_rows(known), "classes")
    write(folder, sample_rows(known), "samples")
    (folder / "_runs").mkdir()
    (folder / "_runs" / "mine-benchmark-0123abcd.x.yaml").write_text("plan: {name: mine}")
    return Path(write_report(folder))


@pytest.fixture(scope="module")
def page(report: Path, browser: Browser) -> Iterator[Visit]:
    """A page that tests share, because drawing its figures takes seconds."""
    with visits(browser) as visit:
        yield visit(report)


@pytest.fixture
def opened(page: Visit) -> Visit:
    """The shared page at its top, in light colours, for tests that change neither tables nor figures."""
    page.page.emulate_media(media="screen", color_scheme="light")
    page.page.evaluate("scrollTo(0, 0)")
    return page


def drawn(opened: Visit, kind: str) -> str:
    """The selector of the first figure of a kind, once it is drawn."""
    figure = f"figure.{kind}"
    opened.page.locator(figure).first.scroll_into_view_if_needed()
    opened.page.wait_for_selector(f"{figure}.drawn .main-svg", state="attached", timeout=120_000)
    return figure


def test_nothing_is_asked_for_and_nothing_goes_wrong(opened: Visit) -> None:
    for kind in ("answer", "history", "pareto", "slices", "contour", "parallel", "importance"):
        drawn(opened, kind)
    assert opened.errors == []
    assert opened.requests == []


def test_the_answer_is_seen_before_anything_is_scrolled(opened: Visit) -> None:
    box = opened.page.locator(".sentence").first.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 400 - box["height"]
    assert "Nearest to retraining: jit on" in opened.page.inner_text(".sentence")


def test_touching_a_dot_shows_its_trial(opened: Visit) -> None:
    figure = drawn(opened, "history")
    opened.page.locator(f"{figure} .points path").first.hover(force=True)
    text = opened.page.locator(f"{figure} .hovertext").first.text_content() or ""
    assert "trial " in text
    assert "lr = " in text
    assert "Distance to retrain" in text


def test_a_click_on_the_legend_hides_a_search(report: Path, visit: Visiting) -> None:
    opened = visit(report)
    figure = drawn(opened, "history")
    shown = f"{figure} .scatter"
    before = opened.page.locator(shown).count()
    opened.page.locator(f"{figure} .legendtoggle").first.click(force=True)
    opened.page.wait_for_function(f"document.querySelectorAll('{shown}').length < {before}")


def test_another_search_is_chosen_by_the_keyboard(report: Path, visit: Visiting) -> None:
    opened = visit(report)
    figure = drawn(opened, "slices")
    titles = f"[...document.querySelectorAll('{figure} .plot')][0].data[0].text[0]"
    assert opened.page.evaluate(titles).startswith("jit")
    opened.page.locator(f"{figure} select").focus()
    opened.page.keyboard.press("ArrowDown")
    assert opened.page.evaluate(titles).startswith("ssd")


def test_tables_sort_by_a_click_and_by_a_key_and_filter(report: Path, visit: Visiting) -> None:
    opened = visit(report)
    table = "#part1-results .scroll"
    distances = f"{table} tbody tr:not([hidden]) td:nth-child(2)"
    button = opened.page.locator(f"{table} th:nth-child(2) button")
    button.click()
    assert opened.page.get_attribute(f"{table} th:nth-child(2)", "aria-sort") == "ascending"
    read = [float(t.split(" ")[0]) for t in opened.page.locator(distances).all_inner_texts()]
    assert read == sorted(read)
    button.press("Enter")
    assert opened.page.get_attribute(f"{table} th:nth-child(2)", "aria-sort") == "descending"
    read = [float(t.split(" ")[0]) for t in opened.page.locator(distances).all_inner_texts()]
    assert read == sorted(read, reverse=True)
    opened.page.locator("a[href='#columns']").click()
    opened.page.locator("#columns input").fill("param_lr")
    shown = opened.page.locator("#columns tbody tr:not([hidden])").all_inner_texts()
    assert len(shown) == 1
    assert shown[0].startswith("param_lr")


def test_ranks_of_cells(opened: Visit) -> None:
    ranks = opened.page.evaluate(
        "['2 h 5 min', '12.5 s', '88.4 ± 0.6', '-4.0 to +1', '30%', '1e-6', 'lr = 3', '3, 5'].map(rank)"
    )
    assert ranks == [7500, 12.5, 88.4, -4, 30, 1e-6, "lr = 3", "3, 5"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened: Visit, scheme: str) -> None:
    """At least 4.5 to 1, for all letters (WCAG AA)."""
    opened.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    drawn(opened, "answer")
    weakest = opened.page.evaluate(_CONTRAST)
    assert weakest["ratio"] >= 4.5, weakest
    ground = opened.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_figures_follow_a_change_of_scheme(opened: Visit) -> None:
    figure = drawn(opened, "answer")
    ink = f"document.querySelector('{figure} .plot').layout.font.color"
    opened.page.wait_for_function(f"{ink} === '#1f2328'")
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_function(f"{ink} === '#e6e9ee'")


def test_a_phone_shows_the_distance_and_never_scrolls_the_page_sideways(
    report: Path, visit: Visiting
) -> None:
    opened = visit(report, width=390, height=844)
    for kind in ("answer", "history", "slices", "parallel"):
        drawn(opened, kind)
    opened.page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 390
    for cell in opened.page.locator("#part1-results tbody tr:first-child td:nth-child(2)").all()[:1]:
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390
    cut = opened.page.evaluate(
        "all('.scroll').filter((box) => box.scrollWidth > box.clientWidth && box.tabIndex !== 0).length"
    )
    assert cut == 0


def test_headings_are_in_order_and_pictures_have_words(opened: Visit) -> None:
    levels = opened.page.evaluate("all('h1, h2, h3, h4').map((h) => Number(h.tagName[1]))")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert opened.page.evaluate("all('img').filter((i) => !i.alt).length") == 0
    assert opened.page.evaluate("all('[role=img]').filter((i) => !i.ariaLabel).length") == 0
    for landmark in ("nav", "main", "header", "footer"):
        assert opened.page.locator(landmark).count() == 1
    assert opened.page.evaluate("all('[id]').length === new Set(all('[id]').map((e) => e.id)).size")


def test_the_command_is_copied(report: Path, visit: Visiting) -> None:
    opened = visit(report, permissions=["clipboard-read", "clipboard-write"])
    opened.page.locator(".copy").first.click()
    opened.page.wait_for_function("document.querySelector('.copy').textContent === 'Copied'")
    copied = opened.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"unlearn run mine.yaml --results {report.parent.name}"


def test_names_do_nothing_in_figures(opened: Visit) -> None:
    figure = drawn(opened, "answer")
    opened.page.locator(f"{figure} .points path.point").last.hover(force=True)
    opened.page.wait_for_function(
        "all('.hovertext').some((text) => text.textContent.includes('<b>bold</b>'))"
    )
    assert opened.page.locator("img[src='x']").count() == 0


def test_print_shows_still_pictures_and_folded_chapters(opened: Visit) -> None:
    figure = drawn(opened, "answer")
    opened.page.emulate_media(media="print")
    assert opened.page.locator(f"{figure} .still").first.is_visible()
    assert not opened.page.locator(f"{figure} .plot").first.is_visible()
    assert not opened.page.locator("nav").is_visible()
    assert opened.page.locator("#part1-entropy img").is_visible()


def test_without_scripts_still_pictures_and_tables_are_shown(report: Path, visit: Visiting) -> None:
    opened = visit(report, java_script_enabled=False)
    assert opened.page.locator("figure.answer .still").first.is_visible()
    assert opened.page.locator("#part1-results td").first.is_visible()


_CONTRAST = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
  };
  const own = (element) => [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  let weakest = { ratio: 99 };
  for (const e of document.querySelectorAll("main *, nav *")) {
    if (e.closest("svg") || !own(e) || !e.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < weakest.ratio) weakest = { ratio, text: e.textContent.slice(0, 60), tag: e.tagName };
  }
  return weakest;
}"""
