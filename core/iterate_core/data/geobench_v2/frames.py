"""Which dates of a sample are taken."""

from __future__ import annotations

from collections.abc import Callable

from iterate_core.data.geobench_v2.datasets.schema import Choice

WEEKLY = (0, 4, 9, 14, 19, 24)
"""The 1st, 5th, 10th, 15th, 20th and 25th day: six dates of a month of daily images."""


def choose(choice: Choice, wanted: int, available: int) -> tuple[int, ...]:
    """Numbers of the dates taken, in order; all rules are fixed by the two counts alone.

    Args:
        choice: ``evenly`` takes ⌊i · available / wanted⌋ for i = 0, 1, …; ``first`` and ``last``
            take the first and last ones; ``day_30`` and ``day_1`` take that day of a month if one
            date is wanted, the days of `WEEKLY` if six are, and otherwise evenly.
        wanted: How many.
        available: How many there are; at least `wanted`.
    """
    return _RULES[choice](wanted, available)


def _evenly(wanted: int, available: int) -> tuple[int, ...]:
    return tuple(index * available // wanted for index in range(wanted))


def _first(wanted: int, _available: int) -> tuple[int, ...]:
    return tuple(range(wanted))


def _last(wanted: int, available: int) -> tuple[int, ...]:
    return tuple(range(available - wanted, available))


def _day_30(wanted: int, available: int) -> tuple[int, ...]:
    if wanted == 1:
        return (min(29, available - 1),)
    return WEEKLY if wanted == len(WEEKLY) else _evenly(wanted, available)


def _day_1(wanted: int, available: int) -> tuple[int, ...]:
    return (0,) if wanted == 1 else _day_30(wanted, available)


_RULES: dict[Choice, Callable[[int, int], tuple[int, ...]]] = {
    "evenly": _evenly,
    "first": _first,
    "last": _last,
    "day_30": _day_30,
    "day_1": _day_1,
}
