"""Parallel coordinates: every trial as a line through its parameters to its objective.

A parameter that was not active in a trial (of a decoder that was not chosen, say) is drawn at
"not used", below the axis, so that a line never claims a value that no one drew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator

from iterate.plots import style
from iterate.plots.trials import PlottedStudy, PlottedTrial, short_names
from iterate_core.escaping import in_plot

_MOST_AXES = 10
_MOST_LEVELS = 8
_NOT_USED = -0.16  # height of "not used", where an axis runs from 0 to 1
_LABEL_LENGTH = 18
_ROOM = 0.06  # between two labels, where an axis runs from 0 to 1


@dataclass(frozen=True)
class Ruler:
    """One vertical axis: where a value stands (0 to 1), and the ticks that are written."""

    name: str
    heights: Mapping[str, float] | None
    low: float
    high: float
    log: bool
    ticks: tuple[tuple[float, str], ...]

    def height(self, value: Any) -> float:
        """Where a value stands; one beyond the axis stands at its end."""
        if self.heights is not None:
            return self.heights[str(value)]
        number, low, high = min(max(float(value), self.low), self.high), self.low, self.high
        if self.log:
            number, low, high = math.log(number), math.log(low), math.log(high)
        return 0.5 if high == low else (number - low) / (high - low)


def draw_parallel(study: PlottedStudy) -> Figure | None:
    """The picture; None while no trial is complete, or where nothing varied."""
    complete = study.complete
    names = _chosen(study)
    if not complete or not names:
        return None
    short = short_names(names)
    drawn = [t for t in study.trials if t.state in ("COMPLETE", "PRUNED") and t.shown is not None]
    rulers = [
        _ruler(
            short[name],
            [t.params[name] for t in drawn if name in t.params],
            log=name in study.log,
            choice=name in study.choices,
        )
        for name in names
    ]
    limits = style.readable_range([trial.shown or 0.0 for trial in complete], study.mode)
    goal = _scale_ruler(study.objective, *limits, log=False, whole=False)
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


def _chosen(study: PlottedStudy) -> list[str]:
    """The parameters that varied, most important first, as many as one can read."""
    values: dict[str, set[str]] = {}
    for trial in study.trials:
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(str(value))
    somewhere = {name for t in study.trials for name in values if name not in t.params}
    varied = [name for name, seen in values.items() if len(seen) > 1 or name in somewhere]
    varied.sort(key=lambda name: -study.importances.get(name, 0.0))
    return varied[:_MOST_AXES]


def _ruler(name: str, values: Sequence[Any], *, log: bool, choice: bool) -> Ruler:
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return _level_ruler(name, sorted({str(value) for value in values}))
    few = choice or 2 * len(set(values)) < len(values)
    if few and values and len(set(values)) <= _MOST_LEVELS:
        return _level_ruler(name, [str(value) for value in sorted(set(values))])
    whole = all(isinstance(value, int) for value in values)
    low, high = float(min(values, default=0)), float(max(values, default=1))
    return _scale_ruler(name, low, high, log=log, whole=whole)


def _level_ruler(name: str, levels: Sequence[str]) -> Ruler:
    """An axis of categories, or of a few numbers that come again and again."""
    step = 1 / max(1, len(levels) - 1)
    heights = {level: index * step for index, level in enumerate(levels)}
    if len(levels) == 1:
        heights = {levels[0]: 0.5}
    ticks = tuple((height, _short(level)) for level, height in heights.items())
    return Ruler(name, heights, 0, 1, False, ticks)


def _scale_ruler(name: str, low: float, high: float, *, log: bool, whole: bool) -> Ruler:
    bare = Ruler(name, None, low, high, log and low > 0, ())
    ticks = tuple((bare.height(at), style.number(at)) for at in _ticks(low, high, bare.log, whole))
    return replace(bare, ticks=ticks)


def _ticks(low: float, high: float, log: bool, whole: bool) -> list[float]:
    if high == low:
        return [low]
    if log:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for steps in ((1,), (1, 3), (1, 2, 5)):
            round_numbers = [step * 10.0**decade for decade in decades for step in steps]
            inside = [at for at in round_numbers if low <= at <= high]
            if len(inside) > 2:
                break
        return [low, *(at for at in inside if _apart(at, low, high)), high]
    locator = MaxNLocator(nbins=5, integer=whole, steps=[1, 2, 5, 10])
    return [float(at) for at in locator.tick_values(low, high) if low <= at <= high]


def _apart(at: float, low: float, high: float) -> bool:
    """Whether a number on a logarithmic axis leaves room for those at its ends."""
    room = _ROOM * math.log(high / low)
    return min(math.log(at / low), math.log(high / at)) >= room


def _short(text: str) -> str:
    return in_plot(text if len(text) <= _LABEL_LENGTH else text[: _LABEL_LENGTH - 1] + "…")


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
            _tick_label(axes, index, height, label)
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
