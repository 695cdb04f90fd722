"""A figure in the style of journals: small serif letters and the papers' symbols."""

from __future__ import annotations

import re

from analysis.drawing.backend import Figure, Text
from analysis.text.labels import title

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
_FAMILY = "STIXGeneral"  # a Times that matplotlib includes
_POINTS = 8.0


def typeset(figure: Figure) -> None:
    """Set a figure in serif letters of at most 8 points, with the papers' symbols."""
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
