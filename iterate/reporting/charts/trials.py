"""Charts of a study's trials: history, learning curves, parallel coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from iterate.plots.rulers import rulers_of
from iterate.plots.style import readable_range
from iterate.plots.trials import PlottedStudy, PlottedTrial
from iterate.reporting.charts.svg import Frame, chart, element, framed, label
from iterate.reporting.figures import number, settings_text

_LOOKS = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}
_NOT_USED = -0.14  # height of "not used", where an axis runs from 0 to 1
_APART, _TALL, _ABOVE, _BELOW = 118.0, 230.0, 52.0, 64.0


def history_chart(study: PlottedStudy) -> Markup | None:
    """Each trial's objective and the best so far; None while no trial has a value."""
    shown = [trial for trial in study.trials if trial.shown is not None]
    if not shown:
        return None
    frame = _of_history(study, shown)
    parts = frame.axes("trial", study.objective)
    steps = _best_so_far(study)
    if steps:
        parts.append(frame.line(steps, "line best"))
    for trial in shown:
        looks = "best" if trial is study.best else _LOOKS[trial.state]
        size = 6.0 if looks == "best" else 4.0
        parts.append(frame.dot(trial.number, trial.shown or 0.0, looks, _told(trial), size))
    return chart(f"History of {len(shown)} trials: {study.objective} of each", parts)


def beyond_history(study: PlottedStudy) -> list[int]:
    """The trials that are so poor that the history draws them at the edge of its axis."""
    shown = [trial for trial in study.trials if trial.shown is not None]
    if not shown:
        return []
    axis = _of_history(study, shown).y
    return [trial.number for trial in shown if not 0 <= axis.share(trial.shown or 0.0) <= 1]


def _of_history(study: PlottedStudy, shown: Sequence[PlottedTrial]) -> Frame:
    judged = study.complete if len(study.complete) > 2 else shown
    limits = readable_range([trial.shown or 0.0 for trial in judged], study.mode)
    return framed([trial.number for trial in study.trials], limits)


def curves_chart(study: PlottedStudy) -> Markup | None:
    """The objective after each epoch of each trial; None while none has reported any."""
    drawn = [trial for trial in study.trials if trial.points]
    if not drawn:
        return None
    values = [value for trial in drawn for _, value in trial.points]
    frame = _of_curves([trial.points for trial in drawn], readable_range(values, study.mode))
    best = study.best
    parts = frame.axes("epoch", study.objective)
    for trial in sorted(drawn, key=lambda trial: trial is best):
        looks = "best" if trial is best else _LOOKS[trial.state]
        parts.append(frame.line(trial.points, f"line {looks}", _told(trial)))
        if trial.state in ("PRUNED", "FAIL"):
            parts.append(frame.dot(*trial.points[-1], looks, _told(trial), 2.5))
    return chart(f"Learning curves of {len(drawn)} trials", parts)


def several_curves(
    curves: Mapping[str, Sequence[tuple[int, float]]], objective: str, mode: str
) -> Markup | None:
    """Named learning curves together, each in a colour of its own, the names below them.

    Args:
        curves: Name → (epoch, objective); those without a point are left out.
        objective: The axis.
        mode: Its direction.
    """
    drawn = {name: points for name, points in curves.items() if points}
    if not drawn:
        return None
    values = [value for points in drawn.values() for _, value in points]
    frame = _of_curves(list(drawn.values()), readable_range(values, mode))
    parts = frame.axes("epoch", objective)
    for place, (name, points) in enumerate(drawn.items()):
        title = f"{name}: {number(points[-1][1])} at epoch {points[-1][0]}"
        parts.append(frame.line(points, f"line series s{place % 8}", title))
    return chart(f"Learning curves: {', '.join(drawn)}", parts)


def parallel_chart(study: PlottedStudy) -> Markup | None:
    """Every trial as a line through its parameters; None where nothing varied or finished."""
    measured = rulers_of(study)
    if measured is None:
        return None
    names, rulers, goal = measured
    drawn = [t for t in study.trials if t.state in ("COMPLETE", "PRUNED") and t.shown is not None]
    unused = any(name not in trial.params for trial in drawn for name in names)
    height = _ABOVE + _TALL + (_BELOW if unused else 20.0)

    def down(share: float) -> float:
        return _ABOVE + (1 - share) * _TALL

    def right(place: int) -> float:
        return 96.0 + place * _APART

    parts: list[Markup] = []
    ranked = sorted(study.complete, key=lambda t: _goodness(study, t))
    shades = {t.number: place / max(1, len(ranked) - 1) for place, t in enumerate(ranked)}
    order = sorted(drawn, key=lambda t: (t.state == "COMPLETE", _goodness(study, t)))
    for trial in order:
        heights = [
            ruler.height(trial.params[name]) if name in trial.params else _NOT_USED
            for name, ruler in zip(names, rulers, strict=True)
        ]
        places = [(right(i), down(h)) for i, h in enumerate([*heights, goal.height(trial.shown)])]
        looks = "best" if trial is study.best else _LOOKS[trial.state]
        title = element("title", _told(trial))
        faint = None if trial.number not in shades else f"--goodness:{shades[trial.number]:.2f}"
        path = element("path", title, d=_smooth(places), class_=f"line thread {looks}", style=faint)
        parts.append(path)
    for place, ruler in enumerate([*rulers, goal]):
        at = right(place)
        parts.append(element("line", x1=at, x2=at, y1=down(0), y2=down(1), class_="tick"))
        *over, last = ruler.name.rsplit(".", 1)
        for line, text in enumerate(reversed([*over, last])):
            parts.append(label(text, at, _ABOVE - 14 - 14 * line, "middle", "name"))
        for share, text in ruler.ticks:
            parts.append(label(text, at - 5, down(share) + 4, "end", "halo"))
    if unused:
        parts.append(label("not used", right(0) - 5, down(_NOT_USED) + 4, "end", "halo"))
    width = right(len(rulers)) + 60.0
    return chart(f"Parallel coordinates of {len(drawn)} trials", parts, width, height)


def _smooth(places: Sequence[tuple[float, float]]) -> str:
    """A path that is level at every axis."""
    told = "M{:.1f} {:.1f}".format(*places[0])
    for (x, y), (to_x, to_y) in pairwise(places):
        middle = (x + to_x) / 2
        told += f" C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return told


def _of_curves(curves: Sequence[Sequence[tuple[int, float]]], limits: tuple[float, float]) -> Frame:
    epochs = [float(epoch) for points in curves for epoch, _ in points]
    return framed(epochs, limits)


def _best_so_far(study: PlottedStudy) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for trial in sorted(study.complete, key=lambda trial: trial.number):
        value = trial.shown or 0.0
        held = value if not points or study.better(value, points[-1][1]) else points[-1][1]
        if points:
            points.append((trial.number, points[-1][1]))
        points.append((trial.number, held))
    if points:
        points.append((max(trial.number for trial in study.trials), points[-1][1]))
    return points


def _goodness(study: PlottedStudy, trial: PlottedTrial) -> float:
    value = trial.shown or 0.0
    return value if study.mode == "max" else -value


def _told(trial: PlottedTrial) -> str:
    found = f"trial {trial.number}, {_LOOKS[trial.state]}: {number(trial.shown)}"
    return f"{found}\n{settings_text(trial.params)}" if trial.params else found
