"""Reports phrases that read like a translation: `python -m tests.plain_english FILES...`.

Markdown is checked outside code, link targets and URLs, and for long lines; Python in its comments,
docstrings and messages. The rules are few, and each describes a phrase that is almost always wrong.
The command is meant for a pre-commit hook as well: it exits with 1 if there is a problem.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_LINE = 100


@dataclass(frozen=True)
class Rule:
    """A phrase to avoid; a space in `pattern` matches any white space, including a line break."""

    pattern: str
    advice: str

    def search(self, text: str) -> Iterator[re.Match[str]]:
        """All matches in `text`, in upper and lower case."""
        return re.finditer(self.pattern.replace(" ", r"\s+"), text, flags=re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Problem:
    """A phrase in line `line`, counted from 1, and what to write instead of it."""

    line: int
    phrase: str
    advice: str


RULES = (
    # Negation of a noun
    Rule(
        r"(?<!there\s)\b(?:is|are|was|were) no (?!(?:longer|more|less|fewer|different|better|worse)\b)\w+",
        "'is not a ...', or 'there is no ...'",
    ),
    # Verbs
    Rule(r"\bmend(?:s|ed|ing)?\b", "fix"),
    Rule(r"\b(?:un)?heed(?:s|ed|ing)?\b", "respect, or ignore"),
    Rule(
        r"\bstands? (?:in|at|on|with|where|under|above|below|beside|there|alone|written)\b(?! for\b)",
        "is, or is written",
    ),
    Rule(r"\bstood\b", "was"),
    Rule(r"\bli(?:es|e|ying) (?:in|on|at|by|with|under|beside|there|where|next)\b", "is, or is stored"),
    Rule(r"\b(?:goes|go|going|went|gone) on\b", "continue, or resume"),
    Rule(r"\btold\b(?! apart)", "reported, shown or informed"),
    Rule(r"\btells?\b(?!:| (?:\S+ ){0,4}apart)", "report, say or show"),  # a colon follows an argument's name
    Rule(r"\bholds? (?:for|true|here|everywhere|where|when|if)\b", "apply"),
    Rule(r"\b(?:to be|be) had\b", "is available"),
    Rule(r"\bgone\b(?! on\b)", "deleted, ended or fixed"),
    Rule(r"\b(?:take|takes|taken|taking|took) home\b", "export, or download"),
    Rule(r"\b(?:goes|go|going|went) by\b", "use, or follow"),
    Rule(r"\b(?:says|say|said) of\b", "say about"),
    # Clauses in place of nouns
    Rule(r"\| what \|", "a noun as the heading: meaning, description"),
    Rule(r"(?:(?<=[.:]\s)|(?<=\n\n))(?-i:What) (?!if\b)[^.?:|]*[.:](?!\S)", "begin the sentence with a noun"),
    Rule(r"(?:(?<=[.:]\s)|(?<=\n\n))(?-i:Who) (?!is\b)[^.?:|]*[.:](?!\S)", "anyone who, or users who"),
    # Exceptions
    Rule(r"\(but (?:\d+|an?|one|two|three|four|five|ten|for)\b", "(at least ...), or (except ...)"),
    Rule(r", but for\b", "except for"),
    Rule(r"\bnothing but\b", "only"),
    # A verb that is missing
    Rule(r", (?:the|its|those|others)(?: \w+){0,2} not(?=[.;)])", "repeat the verb"),
    Rule(r"\bonly so(?=[.;,)])", "say what the condition is"),
    # Words
    Rule(r"\b(?:whoever|whosoever|whomever)\b", "anyone who, users or you"),
    Rule(r"\b(?:one|user)'s own\b|\bof (?:ours|theirs|one's)\b", "your own, or user-defined"),
    Rule(r"\b(?:the|their|its) like(?=[.;,):]|$)|\band such(?=[.;,):])", "similar, or name the things"),
    Rule(r"\bthus\b", "so"),
    Rule(r"\b(?:whatever|whichever)\b", "any, or regardless of"),
    Rule(r"\b(?:wherever|whence|thence)\b", "where, anywhere or from there"),
    Rule(r"\b(?:therein|thereof|wherein|whereof|hitherto)\b", "a plain word"),
    Rule(r"\banew\b", "again, or from the start"),
    Rule(r"\bbeside\b(?!:)", "next to, compared with or in addition to"),
    Rule(
        r"\b(?:in|than|as|from|of|by|but) print\b|\bprint(?:'s| (?:says|has|does|names|gives))\b", "the paper"
    ),
    Rule(r"\brooms\b|\b(?:a|the|each|every|another|this|one|which) room\b", "package"),
    Rule(r"\b(?:two|three|several) goes\b", "runs, or attempts"),
)


def problems(text: str) -> list[Problem]:
    """The phrases of a plain text, by line; `code` in backticks and URLs are left out."""
    prose = _without_code(text)
    matches = [
        Problem(_line(prose, match.start()), " ".join(match.group().split()), rule.advice)
        for rule in RULES
        for match in rule.search(prose)
    ]
    return sorted(matches)


def markdown_problems(text: str) -> list[Problem]:
    """The phrases of a page and its lines of more than 100 characters, by line."""
    prose = _without_blocks(text)
    return sorted([*problems(prose), *_long_lines(prose)])


def python_problems(source: str) -> list[Problem]:
    """The phrases of a module's comments and strings of several words, by line."""
    texts = [*_comments(source), *_strings(ast.parse(source))]
    return sorted(
        Problem(first + problem.line - 1, problem.phrase, problem.advice)
        for first, text in texts
        for problem in problems(text)
    )


CHECKS = {".md": markdown_problems, ".py": python_problems}


def file_problems(path: Path) -> list[Problem]:
    """The problems of a file whose suffix is in `CHECKS`."""
    return CHECKS[path.suffix](path.read_text(encoding="utf-8"))


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _blank(match: re.Match[str]) -> str:
    """As many lines and characters as the match has, without its words."""
    return re.sub(r"\S", "x", match.group())


def _without_code(text: str) -> str:
    text = re.sub(r"(`+)(?:(?!\n\s*\n).)+?\1", _blank, text, flags=re.DOTALL)
    text = re.sub(r"(?<=\]\()[^)\s]+(?=\))", _blank, text)
    return re.sub(r"https?://[^\s)>]+", _blank, text)


def _without_blocks(text: str) -> str:
    """The page with empty lines where it has code, fenced or indented by four after an empty line."""
    lines: list[str] = []
    fence, indented, previous = "", False, ""
    for line in text.split("\n"):
        mark = re.match(r"\s*(```+|~~~+)", line)
        indented = line.startswith("    ") and (indented or not previous.strip()) and not fence
        lines.append("" if fence or mark or indented else line)
        if mark and (not fence or mark.group(1).startswith(fence)):
            fence = "" if fence else mark.group(1)
        previous = line
    return "\n".join(lines)


def _long_lines(prose: str) -> Iterator[Problem]:
    for number, line in enumerate(prose.split("\n"), start=1):
        length = len(re.sub(r"https?://[^\s)>]+", "", line))
        if length > MAX_LINE and not line.lstrip().startswith("|"):
            yield Problem(number, f"{length} characters", f"break the line after at most {MAX_LINE}")


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Comments with their first lines; those of adjacent lines are one text."""
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if block and line != last + 1:
            yield first, "\n".join(block)
            block = []
        if not block:
            first = line
        block.append(token.string.lstrip("#"))
        last = line
    if block:
        yield first, "\n".join(block)


def _strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """String literals of several words with their first lines; an f-string is one text."""
    if isinstance(node, ast.JoinedStr):
        parts = [str(p.value) if isinstance(p, ast.Constant) else "x" for p in node.values]
        yield node.lineno, "".join(parts)
        nested: list[ast.AST] = [p for p in node.values if isinstance(p, ast.FormattedValue)]
    else:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
        nested = list(ast.iter_child_nodes(node))
    for child in nested:
        yield from _strings(child)


def main(arguments: Sequence[str]) -> int:
    """Prints one line per problem of the files; returns 1 if there are any, otherwise 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.plain_english")
    parser.add_argument("files", nargs="+", type=Path, help="Markdown and Python files")
    files: list[Path] = parser.parse_args(arguments).files
    for path in files:
        if path.suffix not in CHECKS:
            parser.error(f"{path} cannot be checked: name files that end in {' or '.join(CHECKS)}")
    lines = [
        f"{path}:{problem.line}: {problem.phrase!r}: {problem.advice}"
        for path in files
        for problem in file_problems(path)
    ]
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
