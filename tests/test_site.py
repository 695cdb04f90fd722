"""The documentation site: complete, without broken links, and without anything from the network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import unlearnbench as ub

ROOT = Path(__file__).parents[1]


def build(pages: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build pages with the settings of this project; fails on any warning, as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", str(ROOT / "docs")]
    return subprocess.run([*command, str(pages), str(site)], capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_public_name_has_an_entry_on_the_page_of_the_api(site: Path) -> None:
    page = (site / "api.html").read_text()
    assert [name for name in ub.__all__ if f'id="unlearnbench.{name}"' not in page] == []


def test_the_navigation_has_the_four_kinds_of_pages(site: Path) -> None:
    page = (site / "index.html").read_text()
    captions = re.findall(r'class="caption-text">([^<]+)<', page)
    assert captions == ["Start", "How-to guides", "Reference", "Why"]


def test_pages_load_nothing_from_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:link|script|img|iframe)\b[^>]*\b(?:src|href)="([^"]+)"', page.read_text())
        assert [address for address in loaded if re.match(r"(https?:)?//", address)] == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", style.read_text()), style.name


def test_a_broken_link_or_anchor_fails_the_build(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "page.md").write_text("# Page\n\n## Part\n")
    links = "[good](page.md#part) [one](missing.md) [two](page.md#nowhere) [three](#nowhere)"
    (pages / "index.md").write_text(f"# Index\n\n{links}\n\n## Start\n\n- [Page](page.md)\n")
    done = build(pages, tmp_path / "site")
    assert done.returncode != 0
    assert done.stderr.count("WARNING") == 3, done.stderr
