"""The look of the plots: colours that colour-blind people tell apart, and marks beside them.

The colours are those of Okabe and Ito, "Color Universal Design" (2008). No state is told by its
colour alone: each has a mark of its own too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from iterate_core.escaping import in_plot
from iterate_core.storage.files import replacing

INK, FAINT, GRID = "#222222", "#6E6E6E", "#E4E4E4"
BLUE, ORANGE, VERMILION, GREY = "#0072B2", "#E69F00", "#D55E00", "#9A9A9A"
# Dark good, light poor; even in lightness, so that it also works in grey.
SCALE = "viridis_r"
_DPI = 150


def new_figure(width: float, height: float, title: str, note: str) -> tuple[Figure, Axes]:
    """A figure of a size in inches with one set of axes, a title and a quieter second line."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(in_plot(title), loc="left", fontsize=12, color=INK, fontweight="bold", pad=24)
    axes.annotate(
        in_plot(note),
        (0, 1),
        xytext=(0, 8),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=9,
        color=FAINT,
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(colors=FAINT, labelsize=9, length=3)
    axes.set_axisbelow(True)
    return figure, axes


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Name both axes, count in whole numbers along x, and rule the y axis."""
    axes.set_xlabel(in_plot(x), color=INK, fontsize=10)
    axes.set_ylabel(in_plot(y), color=INK, fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y", color=GRID, linewidth=0.8)


def legend(axes: Axes) -> None:
    """Name the marks, below the picture where they hide nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    axes.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(0, -0.14),
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        borderaxespad=0,
        handletextpad=0.5,
        columnspacing=1.6,
    )


def readable_range(values: Sequence[float], mode: str) -> tuple[float, float]:
    """The range of values without those so poor that they would flatten all others.

    So poor is more than three interquartile ranges beyond the poorer quartile.
    """
    array = np.asarray(values, dtype=float)
    low, high = np.quantile(array, [0.25, 0.75])
    reach = 3 * (high - low)
    bottom = max(array.min(), low - reach) if mode == "max" else array.min()
    top = min(array.max(), high + reach) if mode == "min" else array.max()
    return float(bottom), float(top)


def focus(axes: Axes, bottom: float, top: float) -> None:
    """Set the y axis to a range and a margin."""
    margin = 0.08 * (top - bottom) or 0.05 * abs(top) or 1.0
    axes.set_ylim(bottom - margin, top + margin)


def number(value: float) -> str:
    """A value in four significant digits."""
    return f"{value:.4g}"


def save(figure: Figure, path: Path) -> Path:
    """Write the figure, whole or not at all."""
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=_DPI)
    return path
