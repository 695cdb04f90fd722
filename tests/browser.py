"""A headless Chromium for tests of pages: its drawing, requests and errors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Visit:
    """An open page: its errors, and the addresses that it requested in addition to its address."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one module: while Playwright runs in a thread, asyncio cannot run a loop there.

    Skips where Playwright or Chromium is missing.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on the path")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens a file or an address: `visit(path, width=390, color_scheme="dark")`, options as Playwright's."""
    with visits(browser) as open_:
        yield open_


@contextmanager
def visits(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """The same without a fixture; pages are closed at the end."""
    contexts = []

    def open_(target: Path | str, *, width: int = 1280, height: int = 800, **options: Any) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(120_000)  # milliseconds; pages load slowly on a busy machine
        contexts.append(context)
        address = target.as_uri() if isinstance(target, Path) else target
        opened = Visit(context.new_page(), address)
        opened.page.on("console", lambda m: opened.errors.append(m.text) if m.type == "error" else None)
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on("request", lambda request: _note(opened, request.url))
        opened.page.goto(address)
        return opened

    yield open_
    for context in contexts:
        context.close()


def _note(opened: Visit, url: str) -> None:
    if url != opened.address and not url.startswith(("data:", "blob:")):
        opened.requests.append(url)
