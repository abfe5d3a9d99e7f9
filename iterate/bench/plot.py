"""Intervals and shares drawn as inline SVG and boxes, for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from iterate.bench.rows import GroupRow

# Half-way room for whiskers beyond 0 and 100, in points.
_STEP = 20


def interval_plot(rows: Sequence[GroupRow], name: Callable[[str, bool], str]) -> str:
    """One line a backbone: rank, name, interval on a common axis, figures.

    Args:
        rows: With values, best first.
        name: A backbone's name as HTML, and whether it is a published baseline.
    """
    low, high = _range(rows)
    ticks = range(low, high + 1, _STEP)
    grid = "".join(
        f'<line class="grid" x1="{_at(t, low, high)}" x2="{_at(t, low, high)}" y1="0" y2="22"/>'
        for t in ticks
    )
    marks = "".join(f'<span style="left:{_at(t, low, high)}">{t}</span>' for t in ticks)
    lines = "".join(_line(row, low, high, grid, name) for row in rows)
    axis = f'<span></span><span></span><div class="axis">{marks}</div><span></span>'
    scale = f'<div class="scale">{axis}</div>'
    return f'<div class="plot">{lines}{scale}</div>'


def _range(rows: Sequence[GroupRow]) -> tuple[int, int]:
    """Whole steps around everything that is drawn, at least 0 to 100."""
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    low, high = min([0.0, *ends]), max([100.0, *ends])
    return int(low // _STEP) * _STEP, -int(-high // _STEP) * _STEP


def _at(value: float, low: int, high: int) -> str:
    return f"{100 * (value - low) / (high - low):.2f}%"


def _line(row: GroupRow, low: int, high: int, grid: str, name: Callable[[str, bool], str]) -> str:
    value = row.value or 0.0
    drawn = [grid]
    told = f"{value:.1f}"
    if row.low is not None and row.high is not None:
        drawn.append(_segment("whisker", row.low, row.high, low, high))
        told += f" <span>[{row.low:.1f}, {row.high:.1f}]</span>"
    if row.bootstrap_sd is not None:
        drawn.append(_segment("sd", value - row.bootstrap_sd, value + row.bootstrap_sd, low, high))
    at = _at(value, low, high)
    drawn.append(f'<line class="centre" x1="{at}" x2="{at}" y1="3" y2="19"/>')
    label = f"{value:.1f} points"
    return (
        f'<div><span class="rank">{_rank(row)}</span>'
        f'<span class="name">{name(row.backbone, row.published)}</span>'
        f'<svg role="img" aria-label="{label}">{"".join(drawn)}</svg>'
        f'<span class="figure">{told}</span></div>'
    )


def _segment(kind: str, start: float, end: float, low: int, high: int) -> str:
    return (
        f'<line class="{kind}" x1="{_at(start, low, high)}" x2="{_at(end, low, high)}" '
        'y1="11" y2="11"/>'
    )


def _rank(row: GroupRow) -> str:
    if row.rank_low == row.rank_high:
        return f"<b>{row.rank}</b>"
    return f"<b>{row.rank}</b> ({row.rank_low}–{row.rank_high})"


def share_bars(shares: Mapping[str, float]) -> str:
    """Bars of parts of a whole, largest first; parts below 0 in the other colour."""
    widest = max([abs(share) for share in shares.values()] or [1.0]) or 1.0
    lines = [
        f'<span>{name}</span><div class="bar{"" if share >= 0 else " against"}" '
        f'style="width:{100 * abs(share) / widest:.1f}%"></div>'
        f'<span class="share">{100 * share:.0f} %</span>'
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
    ]
    return f'<div class="bars">{"".join(lines)}</div>'
