"""Tables of scores as the page shows them: figures, intervals below them, shades behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from iterate.bench.leaderboard.page.names import EntryName
from iterate.bench.leaderboard.rows import DatasetRow, GroupRow
from iterate.bench.leaderboard.tables import DASH, NOT_KNOWN

Row = TypeVar("Row")


class Figure(NamedTuple):
    """A cell.

    Attributes:
        value: What its column is sorted by; None for a gap.
        text: The figure.
        small: What stands below it.
        shade: How dark it is, 0 to 1.
        lacks: Why there is a gap; empty where there is nothing to tell.
        link: The report of what was trained for it; empty where there is none.
    """

    value: float | None = None
    text: str = ""
    small: tuple[str, ...] = ()
    shade: float = 0.0
    lacks: str = ""
    link: str = ""


class Table(NamedTuple):
    """Backbones by columns.

    Attributes:
        title: What it is called where several can be chosen.
        heads: Its columns.
        lines: Its rows.
        rising: Columns of which the least is the best: they are sorted upwards first.
    """

    title: str
    heads: list[str]
    lines: list[tuple[EntryName, list[Figure]]]
    rising: tuple[str, ...] = ()


def table(
    title: str,
    heads: list[str],
    backbones: Sequence[EntryName],
    rows: Mapping[tuple[str, str], Row],
    figure: Callable[[Row], Figure],
    rising: tuple[str, ...] = (),
) -> Table:
    """A table of what `figure` shows of each row.

    Args:
        title: What it is called where several can be chosen.
        heads: Its columns: groups or datasets.
        backbones: Its lines.
        rows: (label, column) → what is known.
        figure: A cell of it.
        rising: See `Table`.
    """

    def shown(label: str, head: str) -> Figure:
        row = rows.get((label, head))
        return Figure() if row is None else figure(row)

    lines = [(one, [shown(one.label, head) for head in heads]) for one in backbones]
    return Table(title, heads, lines, rising)


def score(row: GroupRow) -> Figure:
    """A group's score."""
    if row.value is None:
        return gap(row)
    small = ends(row.low, row.high, ".0f") or (NOT_KNOWN,)
    return points(row.value, small)


def as_published(row: GroupRow) -> Figure:
    """What published leaderboards show of a group."""
    if row.published_value is None:
        return gap(row)
    error = DASH if row.published_error is None else f"{row.published_error:.2f}"
    return points(row.published_value, (f"± {error}",))


def raw(row: DatasetRow) -> Figure:
    """A dataset's mean in its metric, with both intervals."""
    small = _over_seeds(row, row.mean_low, row.mean_high, ".3f")
    small += ends(row.sample_low, row.sample_high, ".3f", "samples ")
    return Figure(row.mean, f"{row.mean:.4f}", small, _shade(row.value or 0.0))


def normalised(row: DatasetRow) -> Figure:
    """A dataset's score in points."""
    if row.value is None:
        return Figure()
    return points(row.value, _over_seeds(row, row.low, row.high, ".0f"))


def gap(row: GroupRow) -> Figure:
    """What stands where an entry lacks a dataset of the group."""
    return Figure(lacks=f"lacks {', '.join(row.missing)}")


def points(value: float, small: tuple[str, ...]) -> Figure:
    """A score in points."""
    return Figure(value, f"{value:.1f}", small, _shade(value))


def _shade(points: float) -> float:
    return min(max(points / 100, 0.0), 1.0)


def _over_seeds(
    row: DatasetRow, low: float | None, high: float | None, form: str
) -> tuple[str, ...]:
    """An interval over seeds, or why there is none."""
    why = "one seed" if row.n == 1 else f"{row.n} equal seeds"
    return ends(low, high, form) or (why,)


def ends(low: float | None, high: float | None, form: str, kind: str = "") -> tuple[str, ...]:
    """An interval; nothing where it is not known."""
    if low is None or high is None:
        return ()
    return (f"{kind}{format(low, form)} to {format(high, form)}",)
