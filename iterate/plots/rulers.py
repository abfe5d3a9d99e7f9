"""The axes of parallel coordinates: which parameters have one, and where a value stands on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.ticker import MaxNLocator

from iterate.plots import style
from iterate.plots.trials import PlottedStudy, short_names

_MOST_AXES = 10
_MOST_LEVELS = 8
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


def rulers_of(study: PlottedStudy) -> tuple[list[str], list[Ruler], Ruler] | None:
    """The parameters that have an axis, their axes, and that of the objective.

    Returns:
        None while no trial is complete, or where nothing varied.
    """
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
    return names, rulers, _scale_ruler(study.objective, *limits, log=False, whole=False)


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
    return text if len(text) <= _LABEL_LENGTH else text[: _LABEL_LENGTH - 1] + "…"
