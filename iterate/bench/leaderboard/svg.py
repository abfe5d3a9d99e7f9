"""Intervals and shares drawn as inline SVG and boxes, for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from iterate_core.escaping import in_html


@dataclass(frozen=True)
class Drawn:
    """One line of an interval plot.

    Attributes:
        name: HTML.
        value: Where the mark stands.
        error: Half the dark bar, which ends where the interval does: a standard error; None for no
            bar.
        low: Left end of the interval; None for none.
        high: Its right end.
        rank: Its place.
        rank_low: The best place it might have; None where not known.
        rank_high: The worst.
    """

    name: str
    value: float
    error: float | None
    low: float | None
    high: float | None
    rank: int
    rank_low: int | None = None
    rank_high: int | None = None


def interval_plot(rows: Sequence[Drawn], digits: int, within: Sequence[float] = ()) -> str:
    """One line a backbone: rank, name, interval on a common axis, figures.

    Args:
        rows: Best first.
        digits: Behind the point of the figures.
        within: What the axis shall contain besides the rows.
    """
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    ticks = _ticks(min([*ends, *within]), max([*ends, *within]))
    low, high = ticks[0], ticks[-1]
    places = max(0, -floor(log10(ticks[1] - ticks[0]) + 1e-9))
    marks = "".join(
        f'<span style="left:{_at(tick, low, high)}">{_text(tick, places)}</span>' for tick in ticks
    )
    lines = "".join(_line(row, low, high, digits) for row in rows)
    axis = f'<span></span><span></span><div class="axis">{marks}</div><span></span>'
    style = f"--parts:{len(ticks) - 1}"
    return f'<div class="plot" style="{style}">{lines}<div class="scale">{axis}</div></div>'


# A narrower axis would show the rounding of its ticks.
_NARROWEST = 1e-9


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, four to ten of them, that enclose what is drawn."""
    size = max(abs(low), abs(high))
    span = high - low
    if span <= _NARROWEST * max(size, _NARROWEST):
        span = size or 1.0
    power = 10.0 ** floor(log10(span / 4))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if span / (m * power) <= 6)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


def _at(value: float, low: float, high: float) -> str:
    return f"{100 * (value - low) / (high - low):.2f}%"


def _text(value: float, digits: int) -> str:
    """A figure; a huge one by its power of ten."""
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.3g}"


def _line(row: Drawn, low: float, high: float, digits: int) -> str:
    drawn = []
    told = _text(row.value, digits)
    if row.low is not None and row.high is not None:
        drawn.append(_segment("whisker", row.low, row.high, low, high))
        told += f" <span>[{_text(row.low, digits)}, {_text(row.high, digits)}]</span>"
        if row.error is not None:
            start, end = max(row.low, row.value - row.error), min(row.high, row.value + row.error)
            drawn.append(_segment("sd", start, end, low, high))
    else:
        told += " <span>interval not known</span>"
    at = _at(row.value, low, high)
    drawn.append(f'<line class="centre" x1="{at}" x2="{at}" y1="3" y2="19"/>')
    return (
        f'<div><span class="rank">{_rank(row)}</span><span class="name">{row.name}</span>'
        f'<svg role="img" aria-label="{_text(row.value, digits)}">{"".join(drawn)}</svg>'
        f'<span class="figure">{told}</span></div>'
    )


def _segment(kind: str, start: float, end: float, low: float, high: float) -> str:
    return (
        f'<line class="{kind}" x1="{_at(start, low, high)}" x2="{_at(end, low, high)}" '
        'y1="11" y2="11"/>'
    )


def _rank(row: Drawn) -> str:
    if row.rank_low == row.rank_high:
        return f"<b>{row.rank}</b>"
    return f"<b>{row.rank}</b> ({row.rank_low}–{row.rank_high})"


def share_bars(shares: Mapping[str, float]) -> str:
    """Bars of parts of a whole, largest first; parts below 0 in the other colour."""
    widest = max([abs(share) for share in shares.values()] or [1.0]) or 1.0
    lines = [
        f'<span>{in_html(name)}</span><div class="bar{"" if share >= 0 else " against"}" '
        f'style="width:{100 * abs(share) / widest:.1f}%"></div>'
        f'<span class="share">{100 * share:.0f} %</span>'
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
    ]
    return f'<div class="bars">{"".join(lines)}</div>'
