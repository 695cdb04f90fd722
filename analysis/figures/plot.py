"""A figure with its numbers, and the results from which figures are made."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import pandas as pd

from analysis.drawing.backend import Figure
from analysis.errors import AnalysisError
from analysis.results import load
from analysis.results.ranges import Ranges
from analysis.studies import REFERENCES

FORMATS = ("pdf", "svg", "png")


@dataclass(frozen=True)
class Choice:
    """The part of the results that a figure shows; an empty field selects all.

    Attributes:
        methods: Names of methods; the original and the retrained model are always included.
        forget: Forget sets, as the table names them.
    """

    datasets: Collection[str] = ()
    models: Collection[str] = ()
    tasks: Collection[str] = ()
    methods: Collection[str] = ()
    forget: Collection[str] = ()

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The chosen rows of a table of trials.

        Raises:
            AnalysisError: for a name that is not in the table.
        """
        for field in fields(self):
            names = set(getattr(self, field.name))
            if not names:
                continue
            column = field.name.removesuffix("s")
            unknown = sorted(names - set(rows[column]))
            if unknown:
                known = ", ".join(sorted(set(rows[column]) - set(REFERENCES)))
                raise AnalysisError(f"no {column} '{unknown[0]}' in these results; there are: {known}")
            kept = names | set(REFERENCES) if column == "method" else names
            rows = rows[rows[column].isin(kept)]
        return rows


class Results:
    """The tables of a results folder, each read when a figure needs it.

    Args:
        path: A folder, or the address of a prefix in a bucket.
        choice: The trials that count.
    """

    def __init__(self, path: Path | str, choice: Choice | None = None) -> None:
        self.path = path
        self._choice = choice or Choice()

    @cached_property
    def trials(self) -> pd.DataFrame:
        return self._choice.of(load.trials(self.path))

    @cached_property
    def classes(self) -> pd.DataFrame:
        return load.classes(self.path)

    @cached_property
    def samples(self) -> pd.DataFrame:
        return load.samples(self.path)

    @cached_property
    def steps(self) -> pd.DataFrame:
        return load.steps(self.path)

    @cached_property
    def progress(self) -> pd.DataFrame:
        return load.progress(self.path)

    @cached_property
    def inversions(self) -> pd.DataFrame:
        return load.inversions(self.path)

    @cached_property
    def ranges(self) -> Ranges:
        return load.ranges(self.path)


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure, its numbers, and a caption that describes them.

    Attributes:
        name: The figure's name and the scenario or search that it shows, such as
            `sensitivity-digits-cnn2-full_class-8-jit`.
    """

    name: str
    caption: str
    data: pd.DataFrame
    figure: Figure

    def save(self, path: Path | str, dpi: int = 300) -> Path:
        """Write the figure; the ending of the file's name selects the format.

        Args:
            dpi: Dots per inch, for PNG.

        Raises:
            AnalysisError: for another ending, or if the file cannot be written.
        """
        path = Path(path)
        form = path.suffix.removeprefix(".").lower()
        if form not in FORMATS:
            raise AnalysisError(f"'{path.name}' is not a picture; end its name with .{', .'.join(FORMATS)}")
        try:
            path.write_bytes(self._drawn(form, dpi))
        except OSError as error:
            raise AnalysisError(f"cannot write {path}: {error.strerror}") from error
        return path

    def _drawn(self, form: str, dpi: int) -> bytes:
        from analysis.drawing.backend import rc_context
        from analysis.drawing.style import RC

        # Journals accept only outlines of fonts (type 42); a date would make two runs differ
        settings = {**RC, "pdf.fonttype": 42, "ps.fonttype": 42}
        no_date = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(form, {})
        stream = io.BytesIO()
        with rc_context(settings):
            self.figure.savefig(stream, format=form, dpi=dpi, metadata=no_date)
        return stream.getvalue()

    def __repr__(self) -> str:
        return f"Plot({self.name}: {len(self.data)} rows)"

    def _repr_html_(self) -> str:
        picture = self._drawn("svg", 100).decode()
        picture = picture[picture.index("<svg") :]
        return f"<figure>{picture}<figcaption>{html.escape(self.caption)}</figcaption></figure>"


class Plots(tuple[Plot, ...]):
    """Figures of one name, for each scenario or search; a notebook shows them below each other."""

    def _repr_html_(self) -> str:
        return "".join(plot._repr_html_() for plot in self)


def named(name: str, *parts: str) -> str:
    """A name that is also valid for a file: the parts joined by hyphens."""
    return "-".join([name, *(re.sub(r"[^\w.+@]+", "_", part) for part in parts if part)])


def plots(name: str, made: Iterator[Plot], needs: str, results: Results) -> Plots:
    """All figures of a name.

    Raises:
        AnalysisError: if there is nothing to draw; it names the command to run first.
    """
    every = Plots(made)
    if not every:
        raise AnalysisError(f"nothing in {results.path} to draw '{name}' from; {needs}")
    return every
