"""Optimisation history: each trial's objective, and the best so far."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterate.plots import style
from iterate.plots.trials import PlottedStudy, PlottedTrial
from iterate_core.escaping import in_plot


def draw_history(study: PlottedStudy) -> Figure | None:
    """The picture; None while no trial has a value."""
    shown = [trial for trial in study.trials if trial.shown is not None]
    if not shown:
        return None
    best = study.best
    counts = _counts(study)
    note = counts if best is None else f"{counts}; best {style.number(best.shown or 0.0)}"
    figure, axes = style.new_figure(8, 4.6, study.name, f"Optimisation history: {note}")
    style.name_axes(axes, "trial", study.objective)
    _best_so_far(axes, study)
    judged = study.complete if len(study.complete) > 2 else shown
    limits = style.readable_range([trial.shown or 0.0 for trial in judged], study.mode)
    style.focus(axes, *limits)
    pruned = [t for t in shown if t.state == "PRUNED"]
    _marks(axes, pruned, limits, "pruned (at its best epoch)", "x", style.GREY)
    _marks(axes, study.complete, limits, "complete (at its best epoch)", "o", style.BLUE)
    if best is not None:
        _marks(axes, [best], limits, f"best: trial {best.number}", "*", style.ORANGE)
    _failed(axes, [t for t in study.trials if t.state == "FAIL"])
    drawn = [*pruned, *study.complete]
    if outside := sum(not limits[0] <= (t.shown or 0.0) <= limits[1] for t in drawn):
        _outside(axes, outside, study.mode)
    style.legend(axes)
    return figure


def _counts(study: PlottedStudy) -> str:
    words = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    counts = {state: sum(t.state == state for t in study.trials) for state in words}
    return ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)


def _best_so_far(axes: Axes, study: PlottedStudy) -> None:
    numbers: list[int] = []
    values: list[float] = []
    for trial in sorted(study.complete, key=lambda trial: trial.number):
        value = trial.shown or 0.0
        numbers.append(trial.number)
        values.append(value if not values or study.better(value, values[-1]) else values[-1])
    if not numbers:
        return
    last = max(trial.number for trial in study.trials)
    axes.step(
        [*numbers, last],
        [*values, values[-1]],
        where="post",
        color=style.ORANGE,
        linewidth=1.6,
        label="best so far",
        zorder=1,
    )


def _marks(
    axes: Axes,
    trials: list[PlottedTrial],
    limits: tuple[float, float],
    label: str,
    marker: str,
    colour: str,
) -> None:
    """One kind of trial; those beyond the limits are drawn at the edge."""
    if not trials:
        return
    star, cross = marker == "*", marker == "x"
    axes.plot(
        [trial.number for trial in trials],
        [min(max(trial.shown or 0.0, limits[0]), limits[1]) for trial in trials],
        linestyle="",
        marker=marker,
        color=colour,
        markersize=15 if star else 7,
        markeredgecolor=colour if cross else style.INK if star else "white",
        markeredgewidth=1.4 if cross else 0.7,
        label=in_plot(label),
        zorder=4 if star else 2 if cross else 3,
    )


def _failed(axes: Axes, trials: list[PlottedTrial]) -> None:
    if trials:
        axes.plot(
            [trial.number for trial in trials],
            [0.0] * len(trials),
            "^",
            color=style.VERMILION,
            markersize=7,
            clip_on=False,
            transform=axes.get_xaxis_transform(),
            label="failed",
        )


def _outside(axes: Axes, count: int, mode: str) -> None:
    trials = "1 trial is" if count == 1 else f"{count} trials are"
    worse = "lower" if mode == "max" else "higher"
    axes.annotate(
        f"{trials} {worse} than this axis and drawn on its edge",
        (1, 0.015 if mode == "max" else 0.985),
        xycoords="axes fraction",
        ha="right",
        va="bottom" if mode == "max" else "top",
        fontsize=8,
        color=style.FAINT,
    )
