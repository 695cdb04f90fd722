"""A figure as journals want it: a given width, serif letters, and the papers' symbols for what they name."""

from __future__ import annotations

import re

from analysis.drawing import Figure, Text
from analysis.labels import title
from analysis.style import legend_columns

# Column -> the papers' symbol for it, in matplotlib's subset of LaTeX
SYMBOLS = {
    "retain_acc": r"$\mathcal{D}_r$ accuracy",
    "forget_acc": r"$\mathcal{D}_f$ accuracy",
    "test_acc": r"$\mathcal{D}_t$ accuracy",
    "param_lr": r"$\eta$",
    "param_sigma": r"$\sigma$",
    "param_n_samples": r"$N$",
    "param_alpha": r"$\alpha$",
    "param_lambda_": r"$\lambda$",
    "param_beta": r"$\beta$",
    "param_gamma": r"$\gamma$",
    "param_epsilon": r"$\epsilon$",
    "param_threshold": r"$\epsilon$",
    "param_temperature": r"$T$",
}
_FAMILY = "STIXGeneral"  # a Times that matplotlib brings along
_POINTS = 8.0


def typeset(figure: Figure, width: float | None = None) -> None:
    """Set a figure in serif letters of 8 points with the papers' symbols, as wide as a column of text.

    Args:
        width: Inches, such as 3.25 for one column of two and 6.75 for both; the height changes with it, but
            not to less than three quarters of the width. By default as it was drawn.
    """
    if width is not None:
        now, height = figure.get_size_inches()
        figure.set_size_inches(width, max(height * width / now, min(height, 0.75 * width)))
        for legend in figure.legends:
            legend.set_ncols(legend_columns(figure, [text.get_text() for text in legend.get_texts()]))
    symbols = {title(column): symbol for column, symbol in SYMBOLS.items()}
    for axes in figure.axes:
        axes.tick_params(labelfontfamily=_FAMILY, labelsize=_POINTS - 1)
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontfamily(_FAMILY)
        text.set_fontsize(min(text.get_fontsize(), _POINTS))
        name, unit = re.fullmatch(r"(.*?)((?:\s\(.*\))?)", text.get_text(), re.DOTALL).groups()  # type: ignore[union-attr]
        if name in symbols:
            text.set_text(f"{symbols[name]}{unit}".replace("%", r"%"))
            text.set_parse_math(True)
            text.set_math_fontfamily("stix")
