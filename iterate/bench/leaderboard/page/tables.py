"""Tables of scores as the page shows them: figures, intervals below them, shades behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from iterate.bench.leaderboard.page.names import EntryName
from iterate.bench.leaderboard.rows import DatasetRow, GroupRow
from iterate.bench.leaderboard.tables import DASH, NOT_KNOWN

Row = TypeVar("Row", GroupRow, DatasetRow)


class Figure(NamedTuple):
    """A cell.

    Attributes:
        value: What its column is sorted by; None for a gap.
        text: The figure.
        small: What stands below it.
        shade: How dark it is, 0 to 1.
        lacks: Why there is a gap; empty where there is nothing to tell.
    """

    value: float | None = None
    text: str = ""
    small: tuple[str, ...] = ()
    shade: float = 0.0
    lacks: str = ""


class Table(NamedTuple):
    """Backbones by columns."""

    title: str
    heads: list[str]
    lines: list[tuple[EntryName, list[Figure]]]


def table(
    title: str,
    heads: list[str],
    backbones: Sequence[EntryName],
    rows: Mapping[tuple[str, str], Row],
    figure: Callable[[Row], Figure],
) -> Table:
    """A table of what `figure` shows of each row.

    Args:
        title: What it is called where several can be chosen.
        heads: Its columns: groups or datasets.
        backbones: Its lines.
        rows: (label, column) → what is known.
        figure: A cell of it.
    """

    def shown(label: str, head: str) -> Figure:
        row = rows.get((label, head))
        return Figure() if row is None else figure(row)

    lines = [(one, [shown(one.label, head) for head in heads]) for one in backbones]
    return Table(title, heads, lines)


def score(row: GroupRow) -> Figure:
    """A group's score."""
    if row.value is None:
        return _gap(row)
    small = _ends(row.low, row.high, ".0f") or (NOT_KNOWN,)
    return _points(row.value, small)


def as_published(row: GroupRow) -> Figure:
    """What published leaderboards show of a group."""
    if row.published_value is None:
        return _gap(row)
    error = DASH if row.published_error is None else f"{row.published_error:.2f}"
    return _points(row.published_value, (f"± {error}",))


def raw(row: DatasetRow) -> Figure:
    """A dataset's mean in its metric, with both intervals."""
    small = _over_seeds(row, row.mean_low, row.mean_high, ".3f")
    small += _ends(row.sample_low, row.sample_high, ".3f", "samples ")
    return Figure(row.mean, f"{row.mean:.4f}", small, _shade(row.value or 0.0))


def normalised(row: DatasetRow) -> Figure:
    """A dataset's score in points."""
    if row.value is None:
        return Figure()
    return _points(row.value, _over_seeds(row, row.low, row.high, ".0f"))


def _gap(row: GroupRow) -> Figure:
    return Figure(lacks=", ".join(row.missing))


def _points(value: float, small: tuple[str, ...]) -> Figure:
    return Figure(value, f"{value:.1f}", small, _shade(value))


def _shade(points: float) -> float:
    return min(max(points / 100, 0.0), 1.0)


def _over_seeds(
    row: DatasetRow, low: float | None, high: float | None, form: str
) -> tuple[str, ...]:
    """An interval over seeds, or why there is none."""
    why = "one seed" if row.n == 1 else f"{row.n} equal seeds"
    return _ends(low, high, form) or (why,)


def _ends(low: float | None, high: float | None, form: str, kind: str = "") -> tuple[str, ...]:
    if low is None or high is None:
        return ()
    return (f"{kind}{format(low, form)} to {format(high, form)}",)
