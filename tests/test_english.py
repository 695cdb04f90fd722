"""The pages, and the checked packages' comments and messages, are in plain English."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plain_english import RULES, main, markdown_problems, problems, python_problems

ROOT = Path(__file__).parents[1]

# Pages that are not rewritten yet, and packages that are. Remove a page, or add a package, once it is clean.
PENDING: tuple[str, ...] = ()
CHECKED_PACKAGES: tuple[str, ...] = (
    *("benchmarks", "tests/benchmarks"),
    *("analysis/commands", "analysis/drawing", "analysis/figures"),
    *("analysis/monitoring", "analysis/report", "analysis/results"),
    *("tests/analysis/drawing", "tests/analysis/monitoring"),
    *("tests/analysis/report", "tests/analysis/results"),
    *("cluster", "search/display", "search/engine", "search/models"),
    *("tests/faults", "tests/search/display", "tests/search/engine", "tests/search/models"),
    *("analysis/published", "analysis/searches", "analysis/statistics", "analysis/text"),
    *("tests/analysis/published", "tests/analysis/searches"),
    *("tests/analysis/statistics", "tests/analysis/text"),
    *("search/loggers", "search/plans", "search/results", "search/studies", "search/tools"),
    *("tests/search/plans", "tests/search/results", "tests/search/studies", "tests/search/tools"),
    *(".ci", "search/commands", "search/stages", "unlearnbench", "tests/performance"),
)
# Files that quote the phrases
QUOTING = {"tests/plain_english.py", "tests/test_english.py"}


def pages() -> list[str]:
    """The Markdown files of the repository that are rewritten, relative to its root."""
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted({str(path.relative_to(ROOT)) for path in paths} - set(PENDING))


def modules() -> list[str]:
    """The Python files of the checked packages, relative to the root."""
    paths = [path for package in CHECKED_PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted({str(path.relative_to(ROOT)) for path in paths} - QUOTING)


@pytest.mark.parametrize("page", pages())
def test_a_page_is_plain_english(page: str) -> None:
    assert markdown_problems((ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", modules())
def test_a_module_is_plain_english(module: str) -> None:
    assert python_problems((ROOT / module).read_text(encoding="utf-8")) == []


def test_pending_pages_exist() -> None:
    assert [page for page in sorted(PENDING) if not (ROOT / page).is_file()] == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The result is no proof.",
        "These are\nno errors.",
        "It was mended.",
        "EXIF is not heeded.",
        "The reason stands in the row.",
        "Here stood a file.",
        "The files lie in a folder.",
        "The log lies beside it.",
        "The run goes on from the table.",
        "The tool is told of every trial.",
        "Names tell what runs.",
        "This holds for all methods.",
        "Memory is to be had.",
        "The folder is gone.",
        "The model to take home",
        "The time left goes by the last 20 trials.",
        "What the file says of the data.",
        "| key | what |",
        "It ended. What is left is noise.",
        "Read them. Who can write there can falsify results.",
        "A hundredth of the images (but five per class)",
        "The same versions, but for the suffix",
        "It prints nothing but the table.",
        "Workers stop by themselves, the head not.",
        "The head leaves only so.",
        "Whoever reaches the port runs code.",
        "A function of the user's own",
        "Thumbs.db and the like.",
        "Thus it fails.",
        "All metrics, whatever they need",
        "A file wherever it is",
        "It starts anew.",
        "A card beside it",
        "The seconds are those in print.",
        "The rooms of the house",
        "The file and the names therein",
        "It was run in two goes.",
    ],
)
def test_a_phrase_is_reported(sentence: str) -> None:
    assert len(problems(sentence)) >= 1


@pytest.mark.parametrize(
    "sentence",
    [
        "There are no failed trials; there\nis no limit.",
        "The model is no longer needed and is no more than a copy.",
        "The amendment was amended.",
        "It stands for all of them and stands out.",
        "Two samples that nobody can tell apart are told apart here.",
        "A tenth is held out; `lr` is held fixed.",
        "It goes from 7 to 39 and goes into the table.",
        "What is a gap? Who is it for?",
        "The likelihood is low; the house has furniture.",
        "Not only that, but also this; all but one.",
        "Methods that forget or not.",
        "The key `benchmark.beside` and ``whatever`` are code.",
        "See [the page](https://example.org/whatever/anew) or [this](thus.md#whatever).",
        "It prints the table, as printed in the paper.",
    ],
)
def test_plain_sentences_are_not_reported(sentence: str) -> None:
    assert problems(sentence) == []


def test_every_rule_reports_a_sentence_of_the_tests() -> None:
    marks = test_a_phrase_is_reported.pytestmark  # type: ignore[attr-defined]
    sentences = marks[0].args[1]
    assert [rule for rule in RULES if not any(list(rule.search(s)) for s in sentences)] == []


def test_a_page_is_checked_outside_its_code() -> None:
    page = "\n".join(
        [
            "# Page",
            "",
            "```text",
            "thus " * 30,
            "```",
            "",
            "    thus, indented by four",
            "",
            "| " + "cell " * 30 + "|",
            "See https://example.org/" + "x" * 100,
            "It goes",
            "on, thus.",
            "word " * 21,
        ]
    )
    phrases = [(problem.line, problem.phrase) for problem in markdown_problems(page)]
    assert phrases == [(11, "goes on"), (12, "thus"), (13, "105 characters")]


def test_a_module_is_checked_in_comments_docstrings_and_messages() -> None:
    source = '''"""A module.

It is whatever it is.
"""

# This goes
# on, for long
whatever = "beside"
thus = f"the file {whatever} is no table"
'''
    phrases = [(problem.line, problem.phrase) for problem in python_problems(source)]
    assert phrases == [(3, "whatever"), (6, "goes on"), (9, "is no table")]


def test_the_command_prints_a_line_per_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = tmp_path / "bad.md", tmp_path / "good.py"
    bad.write_text("One.\nThus two.\n")
    good.write_text("# Plain\n")
    assert main([str(bad), str(good)]) == 1
    assert capsys.readouterr().out == f"{bad}:2: 'Thus': so\n"
    assert main([str(good)]) == 0
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit):
        main([str(tmp_path / "table.csv")])
    assert "table.csv cannot be checked: name files that end in .md or .py" in capsys.readouterr().err
