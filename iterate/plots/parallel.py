"""Parallel coordinates: every trial as a line through its parameters to its objective.

A parameter that was not active in a trial (of a decoder that was not chosen, say) is drawn at
"not used", below the axis, so that a line never claims a value that no one drew.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from iterate.plots import style
from iterate.plots.rulers import Ruler, rulers_of
from iterate.plots.trials import PlottedStudy, PlottedTrial
from iterate_core.escaping import in_plot

_NOT_USED = -0.16  # height of "not used", where an axis runs from 0 to 1


def draw_parallel(study: PlottedStudy) -> Figure | None:
    """The picture; None while no trial is complete, or where nothing varied."""
    measured = rulers_of(study)
    if measured is None:
        return None
    names, rulers, goal = measured
    drawn = [t for t in study.trials if t.state in ("COMPLETE", "PRUNED") and t.shown is not None]
    note = "Parallel coordinates: dark is good, orange the best; pruned trials are dotted"
    figure, axes = style.new_figure(max(7.0, 2.0 + 1.45 * len(names)), 5, study.name, note)
    colours = _colours(study)
    best = study.best
    for trial in sorted(drawn, key=lambda trial: _rank(study, trial)):
        heights = [
            ruler.height(trial.params[name]) if name in trial.params else _NOT_USED
            for name, ruler in zip(names, rulers, strict=True)
        ]
        heights.append(goal.height(trial.shown))
        _line(axes, heights, colours.get(trial.number), best=trial is best)
    _draw_rulers(axes, [*rulers, goal], any(n not in t.params for t in drawn for n in names))
    return figure


def _colours(study: PlottedStudy) -> dict[int, Any]:
    """Number of a complete trial → its colour, by rank: one outlier bleaches no others."""
    ranked = sorted(study.complete, key=lambda trial: _rank(study, trial))
    # The palest tenth cannot be seen on white.
    steps = [0.1 + 0.9 * index / max(1, len(ranked) - 1) for index in range(len(ranked))]
    shades = colormaps[style.SCALE]
    return {trial.number: shades(step) for trial, step in zip(ranked, steps, strict=True)}


def _rank(study: PlottedStudy, trial: PlottedTrial) -> tuple[bool, float]:
    """Pruned ones first, then from poor to good, so that the best lies on top."""
    value = trial.shown or 0.0
    return trial.state == "COMPLETE", value if study.mode == "max" else -value


def _line(axes: Axes, heights: list[float], colour: Any, *, best: bool) -> None:
    """A smooth line that is level at every axis, where one reads it; dotted without a colour."""
    complete = colour is not None
    colour = style.ORANGE if best else colour if complete else style.GREY
    if len(heights) < 2:
        axes.plot([0], heights, "x", color=colour, markersize=4)
        return
    points = [(0.0, heights[0])]
    for index, (here, there) in enumerate(pairwise(heights)):
        points += [(index + 0.4, here), (index + 0.6, there), (index + 1.0, there)]
    codes = [Outline.MOVETO] + [Outline.CURVE4] * (len(points) - 1)
    outline = Outline(points, codes)
    if best:
        axes.add_patch(PathPatch(outline, fill=False, edgecolor="white", linewidth=6, zorder=4))
    axes.add_patch(
        PathPatch(
            outline,
            fill=False,
            edgecolor=colour,
            linewidth=3.0 if best else 1.4,
            linestyle="-" if complete else (0, (1, 2)),
            alpha=1 if best else 0.85 if complete else 0.7,
            zorder=5 if best else 3 if complete else 2,
        )
    )


def _draw_rulers(axes: Axes, rulers: list[Ruler], some_not_used: bool) -> None:
    axes.axis("off")
    bottom = _NOT_USED if some_not_used else 0.0
    axes.set_xlim(-0.45, len(rulers) - 0.4)
    axes.set_ylim(bottom - 0.06, 1.14)
    for index, ruler in enumerate(rulers):
        last = index == len(rulers) - 1
        axes.plot([index, index], [0, 1], color=style.INK, linewidth=1.1, zorder=6)
        axes.text(
            index,
            1.07,
            in_plot(ruler.name.replace(".", ".\n")),
            ha="center",
            va="bottom",
            fontsize=9,
            fontweight="bold" if last else "normal",
            color=style.INK,
        )
        for height, label in ruler.ticks:
            axes.plot([index - 0.03, index], [height] * 2, color=style.INK, linewidth=1, zorder=6)
            _tick_label(axes, index, height, in_plot(label))
    if some_not_used:
        axes.plot(
            [-0.1, len(rulers) - 1.9], [_NOT_USED] * 2, color=style.GRID, linewidth=7, zorder=1
        )
        _tick_label(axes, 0, _NOT_USED, "not used")


def _tick_label(axes: Axes, index: int, height: float, label: str) -> None:
    axes.text(
        index - 0.05,
        height,
        label,
        ha="right",
        va="center",
        fontsize=8,
        color=style.INK,
        zorder=7,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
    )
