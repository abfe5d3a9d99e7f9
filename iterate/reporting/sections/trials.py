"""The trials of a study: a table, charts, and the curves of its repeats."""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup

from iterate.plots.absent import why_absent
from iterate.plots.trials import short_names
from iterate.reporting.charts.trials import (
    beyond_history,
    curves_chart,
    history_chart,
    parallel_chart,
    several_curves,
)
from iterate.reporting.figures import NOT_KNOWN, number, percent, seconds_text, value_text
from iterate.reporting.sections.scores import Cell
from iterate.reporting.studied import Studied

_NAMED = 12  # trials of a note


class Shown(NamedTuple):
    """A chart with its heading, or why there is none."""

    title: str
    note: str
    chart: Markup | None
    absent: str


class Importance(NamedTuple):
    """A parameter's part in the spread of the objective."""

    name: str
    width: str
    text: str


def charts(study: Studied) -> list[Shown]:
    """History, curves and parallel coordinates."""
    plotted = study.plotted
    stored = study.past is not None
    away = "the run keeps its storage elsewhere, or it cannot be read."
    drawn = {
        "history": (
            "History",
            "Each trial at its best epoch, in order; the line is the best so far."
            + _beyond(beyond_history(plotted)),
            history_chart(plotted),
        ),
        "curves": (
            "Learning curves of trials",
            "Validation after each epoch. Grey ones were pruned at their last point.",
            curves_chart(plotted),
        ),
        "parallel": (
            "Parallel coordinates",
            "A line a trial. The stronger its colour, the better; dotted ones were pruned.",
            parallel_chart(plotted),
        ),
    }
    return [
        Shown(title, note, chart, "" if chart else why_absent(plotted, name) if stored else away)
        for name, (title, note, chart) in drawn.items()
    ]


def _beyond(numbers: list[int]) -> str:
    """Which trials are drawn at the edge of the axis, though they lie beyond it."""
    if not numbers:
        return ""
    named = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    one = len(numbers) == 1
    return (
        f" {'Trial' if one else 'Trials'} {named}{more} {'lies' if one else 'lie'} beyond the "
        f"axis, and {'is' if one else 'are'} drawn at its edge."
    )


def repeat_curves(study: Studied) -> Shown | None:
    """The curves of the best point's repeats; None where there are none."""
    best = study.best
    if study.past is None or best is None:
        return None
    curves = {
        f"repeat {view.index}": sorted(view.curve.items())
        for view in study.past.repeats
        if view.placed and view.of == best["number"]
    }
    chart = several_curves(curves, f"val/{study.objective}", study.mode)
    if chart is None:
        return None
    note = "The best point, trained anew under other seeds. How far they differ is chance."
    return Shown("Learning curves of repeats", note, chart, "")


def importances(study: Studied) -> tuple[list[Importance], str]:
    """Each parameter's importance, the largest first; and why there is none."""
    found = study.plotted.importances
    if not found:
        away = "the run keeps its storage elsewhere, or it cannot be read."
        return [], why_absent(study.plotted, "importances") if study.past is not None else away
    most = max(found.values()) or 1.0
    ranked = sorted(found.items(), key=lambda item: -item[1])
    return [
        Importance(key, percent(share / most, 1).replace(" ", ""), percent(share))
        for key, share in ranked
    ], ""


def trial_table(study: Studied) -> tuple[list[str], list[list[Cell]]]:
    """Heads, and a row a trial."""
    told = study.told["all_trials"]
    keys = list(dict.fromkeys(key for one in told for key in one["params"]))
    short = short_names(keys)
    times = {} if study.past is None else {t.number: t.train_seconds for t in study.past.trials}
    best = None if study.best is None else study.best["number"]
    rows = [
        [
            Cell(f"{one['number']}{' ★' if one['number'] == best else ''}", one["number"]),
            Cell(_STATES.get(one["state"], one["state"]), one["state"], one["failure"] or ""),
            _value(one["value"]),
            Cell(str(one["epochs"]), one["epochs"]),
            _seconds(times.get(one["number"])),
            *(_parameter(one["params"], key) for key in keys),
        ]
        for one in told
    ]
    heads = ["Trial", "State", f"val/{study.objective}", "Epochs", "Training"]
    return [*heads, *(short[key] for key in keys)], rows


_STATES = {"fail": "failed"}


def _value(value: float | None) -> Cell:
    return Cell("–") if value is None else Cell(number(value), value)


def _seconds(seconds: float | None) -> Cell:
    return Cell(NOT_KNOWN) if seconds is None else Cell(seconds_text(seconds), seconds)


def _parameter(point: dict[str, Any], key: str) -> Cell:
    if key not in point:
        return Cell("–", title="not active")
    value = point[key]
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(value_text(value), value if plain else value_text(value))
