"""Intervals on a common axis, and shares of a whole, as the page draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from iterate.bench.leaderboard.page.names import EntryName
from iterate.pages.axis import Axis, axis_of, figure
from iterate.statistics.spread import Spread

Segment = tuple[str, str]
"""The left and the right end of a part of the axis, as CSS lengths."""


@dataclass(frozen=True)
class Drawn:
    """What one line of an interval plot shows.

    Attributes:
        backbone: Its entry.
        value: Where the mark stands.
        error: Half the dark bar, which ends where the interval does: a standard error; None for no
            bar.
        low: Left end of the interval; None for none.
        high: Its right end.
        rank: Its place.
        rank_low: The best place it might have; None where not known.
        rank_high: The worst.
    """

    backbone: EntryName
    value: float
    error: float | None
    low: float | None
    high: float | None
    rank: int
    rank_low: int | None = None
    rank_high: int | None = None


class Tick(NamedTuple):
    """A mark of the axis: where it is, and its figure."""

    at: str
    text: str


class Line(NamedTuple):
    """One line of an interval plot, laid out.

    Attributes:
        backbone: Its entry.
        rank: Its place.
        places: Those it might have; empty where not known.
        at: Where the mark stands.
        interval: Where the interval lies; None where not known.
        error: Where the dark bar lies; None for none.
        value: The figure.
        told: The interval in figures.
    """

    backbone: EntryName
    rank: int
    places: str
    at: str
    interval: Segment | None
    error: Segment | None
    value: str
    told: str


class Plot(NamedTuple):
    """An interval plot."""

    ticks: list[Tick]
    lines: list[Line]


class ShareBar(NamedTuple):
    """A bar: how long it is, and whether it stands for less than nothing."""

    dataset: str
    width: str
    against: bool
    text: str


def interval_plot(rows: Sequence[Drawn], digits: int, within: Sequence[float] = ()) -> Plot:
    """Lay out intervals, one line a backbone.

    Args:
        rows: Best first.
        digits: Behind the point of the figures.
        within: What the axis shall contain besides the rows.
    """
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    ends += within
    if not ends:
        return Plot([], [])
    axis = axis_of(min(ends), max(ends))
    return Plot(
        [Tick(axis.at(tick), axis.text(tick)) for tick in axis.ticks],
        [_line(row, axis, digits) for row in rows],
    )


def _line(row: Drawn, axis: Axis, digits: int) -> Line:
    known = row.rank_low != row.rank_high
    line = Line(
        row.backbone,
        row.rank,
        f" ({row.rank_low}–{row.rank_high})" if known else "",
        axis.at(row.value),
        interval=None,
        error=None,
        value=figure(row.value, digits),
        told="interval not known",
    )
    if row.low is None or row.high is None:
        return line
    bar = None
    if row.error is not None:
        start, end = max(row.low, row.value - row.error), min(row.high, row.value + row.error)
        bar = axis.at(start), axis.at(end)
    told = f"[{figure(row.low, digits)}, {figure(row.high, digits)}]"
    return line._replace(interval=(axis.at(row.low), axis.at(row.high)), error=bar, told=told)


def share_bars(parts: Mapping[str, Spread]) -> list[ShareBar]:
    """Bars of each dataset's part in the spread, largest first."""
    shares = {name: part.share for name, part in parts.items()}
    widest = max(map(abs, shares.values())) or 1.0
    return [
        ShareBar(name, f"{100 * abs(share) / widest:.1f}%", share < 0, f"{100 * share:.0f} %")
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
    ]
