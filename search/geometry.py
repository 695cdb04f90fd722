"""The examples of geometry, computed and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from search.errors import SearchError


def draw(folder: Path | str = ".", form: str = "pdf", seed: int = 0) -> Iterator[str]:
    """Draw figures 2 and 3 of the JiT paper; yields a line for each result and each file.

    Args:
        folder: The folder for the files; it is created if it is missing.
        form: pdf, svg or png.

    Raises:
        SearchError: if the folder or a file cannot be written.
        AnalysisError: for another form.
    """
    import pandas as pd

    from analysis.drawing import geometry as geometry_plots
    from analysis.figures.plot import Plot
    from benchmarks.geometry_examples import REACH, line_examples, plane_examples

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(f"cannot make the folder {folder}: {error.strerror}; choose another one") from error
    planes, lines = plane_examples(seed), line_examples(seed)
    plots = {
        "geometry-plane": geometry_plots.planes(planes, REACH),
        "geometry-sigmoid": geometry_plots.lines(lines),
    }
    for plane in planes:
        off = ", ".join(f"{name} {share:.1f} %" for name, share in plane.changed.items() if share)
        yield f"{plane.where} (kappa {plane.curvature:.2g}): of the plane, other class than retrained: {off}"
    for line in lines:
        shown = " and ".join(f"{moved:+.3f}" for moved in line.moved)
        yield f"{line.where}: JiT moves the probability of the forgotten points by {shown}"
    for name, figure in plots.items():
        yield str(Plot(name, "", pd.DataFrame(), figure).save(folder / f"{name}.{form}"))
