"""Draw the picture of the README from the results of `make demo`.

python examples/readme_picture.py [RESULTS] [FILE]
"""

from __future__ import annotations

import sys

import unlearnbench as ub

AXES = ("learning rate η", "size of the noise σ")  # noqa: RUF001
LEGEND = {
    "best trial": "best trial of the search",
    "published value": "values published in papers",
    "retrained model": "another retrained model",
    "mean and std over seeds": "JiT, mean and deviation over seeds",
}


def main(results: str = "results", file: str = "sensitivity.png") -> None:
    """Draw the gap over each hyper-parameter of JiT, in words for readers outside the field."""
    choice = ub.plots.Choice(methods=["jit"], forget=["8"])
    [plot] = ub.plots.sensitivity(results, choice, metrics=["gap"])
    figure = plot.figure
    figure.set_size_inches(7.2, 3.2)
    for panel, label in zip(figure.axes, AXES, strict=True):
        panel.set_xlabel(label)
    figure.axes[0].set_ylabel("gap to a model that\nnever saw the 8 (points)")
    figure.suptitle(
        "Forgetting the digit 8 with JiT: a narrow range works, and most published values are outside it",
        fontsize=9,
    )
    [legend] = figure.legends
    names = [text.get_text() for text in legend.texts]
    handles = [
        (h, LEGEND[name]) for h, name in zip(legend.legend_handles, names, strict=True) if name in LEGEND
    ]
    legend.remove()
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    figure.savefig(file, dpi=180)
    print(f"{file}: {plot.caption}")


if __name__ == "__main__":
    main(*sys.argv[1:])
