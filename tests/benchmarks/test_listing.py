"""Lists lose nothing in a narrow terminal, and are data for programs."""

from __future__ import annotations

import json
import re

import pytest

from benchmarks import cli
from benchmarks.listing import Listing, print_json, print_table, text
from benchmarks.methods import methods

LISTS = (
    cli.list_methods,
    cli.list_models,
    cli.list_datasets,
    cli.list_metrics,
    cli.list_presets,
    lambda: cli.describe_method("jit"),
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that were printed, without what makes them bold."""
    return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()


def words(listing: Listing) -> list[str]:
    return [word for row in listing[1] for cell in row for word in text(cell).split()]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("listing", LISTS)
def test_every_word_is_whole_in_every_width(
    listing: type, width: int, terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.setenv("COLUMNS", str(width))
    header, rows = listing()
    print_table(header, rows)
    lines = shown(capsys)
    assert max(map(len, lines)) <= width
    printed = set(re.split(r"[ ;]+", " ".join(lines)))
    assert {word.strip(";") for word in words((header, rows))} <= printed
    for row in rows:
        assert any(line.startswith(str(row[0])) for line in lines), row[0]


def test_a_wide_terminal_has_columns(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.setenv("COLUMNS", "150")
    print_table(*cli.list_methods())
    head, first, *_ = shown(capsys)
    assert head.split()[:3] == ["method", "access", "tasks"]
    assert first.startswith("activation_pruning  retain ")


def test_a_name_in_a_list_is_not_markup(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for width in ("20", "80"):
        terminal.setenv("COLUMNS", width)
        print_table(["plan", "what it is"], [["apple [red]", "an :apple: of [/x]"]])
        out = "\n".join(shown(capsys))
        assert "apple [red]" in out
        assert ":apple:" in out
        assert "[/x]" in out


def test_json_is_a_single_document_with_the_values_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(*cli.list_methods())
    listed = json.loads(capsys.readouterr().out)
    assert [entry["method"] for entry in listed] == methods.names()
    jit = next(entry for entry in listed if entry["method"] == "jit")
    assert jit["searched"] == ["lr", "sigma"]
    print_json(*cli.describe_method("jit"))
    lr = json.loads(capsys.readouterr().out)[0]
    assert (lr["hyper_parameter"], lr["default"], lr["searched"]) == ("lr", 3e-4, True)


def test_what_is_printed_into_a_pipe_is_tab_separated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table(["name", "sizes"], [["a", ["1", "2"]], ["b", {"lr": 0.1}], ["c", None]])
    assert capsys.readouterr().out == "name\tsizes\na\t1 2\nb\tlr=0.1\nc\t\n"
