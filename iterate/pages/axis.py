"""Axes with round numbers."""

from __future__ import annotations

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
