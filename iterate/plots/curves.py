"""Learning curves: the objective after each epoch of every trial."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterate.plots import style
from iterate.plots.trials import PlottedStudy, PlottedTrial

# state → (label, line colour, mark at the end)
_LOOKS = {
    "COMPLETE": ("complete", style.BLUE, ""),
    "PRUNED": ("pruned", style.GREY, "x"),
    "FAIL": ("failed", style.VERMILION, "^"),
    "RUNNING": ("running", style.INK, ">"),
}


def draw_curves(study: PlottedStudy) -> Figure | None:
    """The picture; None while no trial has reported an epoch."""
    drawn = [trial for trial in study.trials if trial.points]
    if not drawn:
        return None
    best = study.best
    note = f"Learning curves of {len(drawn)} trials"
    figure, axes = style.new_figure(8, 4.6, study.name, note)
    style.name_axes(axes, "epoch", study.objective)
    if best is not None and best.points:
        _draw_best(axes, best)
    for state, (label, colour, mark) in _LOOKS.items():
        _draw(axes, [t for t in drawn if t.state == state and t is not best], label, colour, mark)
    values = [value for trial in drawn for _, value in trial.points]
    style.focus(axes, *style.readable_range(values, study.mode))
    style.legend(axes)
    return figure


def _draw_best(axes: Axes, best: PlottedTrial) -> None:
    epochs, values = zip(*best.points, strict=True)
    axes.plot(epochs, values, color="white", linewidth=4.5, zorder=4)
    axes.plot(
        epochs,
        values,
        color=style.ORANGE,
        linewidth=2.6,
        label=f"best: trial {best.number}",
        marker="*" if len(epochs) == 1 else "",
        zorder=5,
    )


def _draw(axes: Axes, trials: list[PlottedTrial], label: str, colour: str, mark: str) -> None:
    # Many curves are drawn fainter, so that one sees where most of them run; ends stay clear.
    opacity = max(0.35, min(0.9, 12 / max(1, len(trials))))
    for trial in trials:
        epochs, values = zip(*trial.points, strict=True)
        axes.plot(epochs, values, color=colour, linewidth=1.3, alpha=opacity, zorder=2)
        end = mark or ("o" if len(epochs) == 1 else "")
        axes.plot(epochs[-1], values[-1], end, color=colour, markersize=6, zorder=6)
    if trials:
        axes.plot([], [], color=colour, linewidth=1.6, marker=mark, markersize=6, label=label)
