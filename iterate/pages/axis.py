"""Axes with round numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import NamedTuple

# A narrower axis would show the rounding of its ticks.
_NARROWEST = 1e-9


class Axis(NamedTuple):
    """An axis from its first tick to its last.

    Attributes:
        ticks: Round numbers, ascending.
    """

    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value stands: 0 at the first tick, 1 at the last."""
        return (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])

    def at(self, value: float) -> str:
        """Where a value stands, as a CSS length."""
        return f"{100 * self.share(value):.2f}%"

    def text(self, tick: float) -> str:
        """A tick's figure, with as many digits as tell it from the next."""
        return figure(tick, max(0, -floor(log10(self.ticks[1] - self.ticks[0]) + 1e-9)))


def axis_of(low: float, high: float) -> Axis:
    """An axis of four to ten round numbers that enclose what is drawn."""
    size = max(abs(low), abs(high))
    span = high - low
    if span <= _NARROWEST * max(size, _NARROWEST):
        span = size or 1.0
    power = 10.0 ** floor(log10(span / 4))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if span / (m * power) <= 6)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return Axis(tuple(step * i for i in range(first, max(last, first + 1) + 1)))


def figure(value: float, digits: int) -> str:
    """A figure; a huge one by its power of ten."""
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.3g}"


class LogAxis(NamedTuple):
    """An axis on which equal lengths are equal factors, from its first tick to its last.

    Attributes:
        ticks: Ascending, above 0.
    """

    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value stands: 0 at the first tick, 1 at the last."""
        return log10(value / self.ticks[0]) / log10(self.ticks[-1] / self.ticks[0])

    def at(self, value: float) -> str:
        """Where a value stands, as a CSS length."""
        return f"{100 * self.share(value):.2f}%"


_MOST_TICKS = 7


def log_axis_of(low: float, high: float, marks: Sequence[float] = ()) -> LogAxis:
    """An axis of a few round numbers that enclose what is drawn.

    Args:
        low: The least that is drawn, above 0.
        high: The largest.
        marks: What may stand at the axis, ascending; left out, or where they do not enclose what
            is drawn: 1, 2 and 5 times powers of ten, or the powers alone where those are too many.
    """
    if marks and marks[0] <= low and high < marks[-1]:
        return LogAxis(_enclosing(low, high, marks))
    powers = range(floor(log10(low)) - 1, ceil(log10(high)) + 2)
    ticks = _enclosing(low, high, [m * 10.0**power for power in powers for m in (1, 2, 5)])
    if len(ticks) > _MOST_TICKS:
        ticks = _enclosing(low, high, [10.0**power for power in powers])
    return LogAxis(ticks)


def _enclosing(low: float, high: float, marks: Sequence[float]) -> tuple[float, ...]:
    """From the last mark that is not above `low` to the first that is not below `high`."""
    first = max(at for at, mark in enumerate(marks) if mark <= low * (1 + 1e-9))
    last = min(at for at, mark in enumerate(marks) if mark >= high * (1 - 1e-9))
    return tuple(marks[first : max(last, first + 1) + 1])
