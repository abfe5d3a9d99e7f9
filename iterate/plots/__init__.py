"""The pictures of a study, drawn from plain values. Importing this imports no matplotlib.

They are not Optuna's own, which need its studies, leave out pruned and failed trials, and let one
diverged trial flatten all curves.
"""

from __future__ import annotations

from pathlib import Path

from iterate.plots.absent import NOT_DRAWN, write_reasons
from iterate.plots.trials import PlottedStudy, PlottedTrial

__all__ = ["NOT_DRAWN", "PlottedStudy", "PlottedTrial", "draw_plots"]


def draw_plots(study: PlottedStudy, folder: Path) -> list[Path]:
    """Draw ``history.png``, ``importances.png``, ``parallel.png`` and ``curves.png``.

    A picture with nothing to show (no complete trial, no importances) is not drawn; then
    ``not_drawn.txt`` says why.

    Returns:
        The files that were written.

    Raises:
        OSError: The folder cannot be written.
    """
    from iterate.plots.curves import draw_curves
    from iterate.plots.history import draw_history
    from iterate.plots.importances import draw_importances
    from iterate.plots.parallel import draw_parallel
    from iterate.plots.style import save

    figures = {
        "history": draw_history(study),
        "importances": draw_importances(study),
        "parallel": draw_parallel(study),
        "curves": draw_curves(study),
    }
    drawn = [
        save(figure, folder / f"{name}.png")
        for name, figure in figures.items()
        if figure is not None
    ]
    absent = [name for name, figure in figures.items() if figure is None]
    return [*drawn, *write_reasons(study, absent, folder)]
