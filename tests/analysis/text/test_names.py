from __future__ import annotations

import pytest

from analysis.text.labels import shortened, variant
from analysis.text.names import markdown, printable, spreadsheet


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("apple [red]", "apple [red]"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("half \ud800", r"half \ud800"),
        ("تفاح", "تفاح"),
        ("👩\u200d🌾", "👩\u200d🌾"),
    ],
)
def test_every_character_of_a_name_is_seen(name: str, shown: str) -> None:
    assert printable(name) == shown


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("maple_tree", "maple_tree"),
        ("apple [red]", "apple [red]"),
        ("_x_", r"\_x\_"),
        ("a|b", r"a\|b"),
        ("5$ #1", r"5\$ #1"),
        ("*bold*", r"\*bold\*"),
        ("`code`", r"\`code\`"),
        ("<b>", r"\<b>"),
        ("&lt;", r"\&lt;"),
        ("[here](http://x)", r"[here\](http://x)"),
        ("a\nb", r"a\\nb"),
        ("~~gone~~", r"\~\~gone\~\~"),
    ],
)
def test_markdown_prints_a_name_as_it_is(name: str, written: str) -> None:
    assert markdown(name) == written


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\N{FULLWIDTH EQUALS SIGN}1"]
)
def test_no_cell_is_a_formula(name: str) -> None:
    assert spreadsheet(name) == f"'{name}"
    assert spreadsheet(f"a{name}") == f"a{name}"
    assert not spreadsheet(f"\t{name}").startswith("\t")


def test_long_names_are_shortened_in_figures_and_stay_different() -> None:
    names = ["long" * 60, "long" * 60 + "x", "a" + "long" * 50 + "ong", "a" + "long" * 70 + "ong", "8"]
    short = shortened([*names, names[0]])
    assert len(set(short[:-1])) == len(names)
    assert short[-1] == short[0]
    assert max(map(len, short)) <= 28
    assert short[4] == "8"
    assert short[0].startswith("longlong")
    assert shortened(["a\nb"]) == [r"a\nb"]


def test_a_variant_is_a_single_line() -> None:
    assert variant("jit", "published", "two\nlines") == r"jit (published: two\nlines)"
