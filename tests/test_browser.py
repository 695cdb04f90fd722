from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.browser import Visit


def test_a_visit_has_the_errors_and_requests_of_a_page(visit: Callable[..., Visit], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<h1>A</h1><script>console.error("lost"); new Image().src = "missing.png"; none()</script>'
    )
    opened = visit(page, width=390, color_scheme="dark")
    assert opened.page.inner_text("h1") == "A"
    assert "lost" in opened.errors
    assert any("none is not defined" in error for error in opened.errors)
    assert [Path(url).name for url in opened.requests] == ["missing.png"]
    assert opened.page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [
        390,
        True,
    ]
