"""A study's plots, drawn in a process of its own, which imports this and little else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iterate.hpo.importances import Searched
from iterate.plots import PlottedStudy, draw_plots


def draw(study: PlottedStudy, searched: Searched, folder: Path) -> list[Path]:
    """Draw all plots, and first tell what the objective depended on.

    Args:
        study: What is drawn, but for the importances.
        searched: What those are told from.
        folder: Where the files go.
    """
    return draw_plots(replace(study, importances=searched.importances()), folder)
