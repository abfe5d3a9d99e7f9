"""Ranks as the page shows them: of all groups together, and one group in full."""

from __future__ import annotations

from collections.abc import Sequence

from iterate.bench.leaderboard.page.names import EntryName, EntryNames
from iterate.bench.leaderboard.page.tables import Figure, Table, gap, table
from iterate.bench.leaderboard.rows import GroupRow
from iterate.bench.leaderboard.tables import NOT_KNOWN


def rank_table(
    groups: Sequence[str], backbones: Sequence[EntryName], rows: Sequence[GroupRow]
) -> Table:
    """Entries by groups: the place of each score, and the places it might have."""
    most = max((row.rank or 1 for row in rows), default=1)

    def rank(row: GroupRow) -> Figure:
        if row.rank is None:
            return gap(row)
        shade = 1.0 if most == 1 else 1 - (row.rank - 1) / (most - 1)
        return Figure(row.rank, str(row.rank), (_places(row),), shade)

    cells = {(row.backbone, row.group): row for row in rows}
    return table("Rank", list(groups), backbones, cells, rank, rising=tuple(groups))


def group_table(rows: Sequence[GroupRow], names: EntryNames) -> Table:
    """One group in full, best first; those that lack a dataset of it last."""
    ranked = sorted(rows, key=lambda row: (row.rank is None, row.rank or 0, row.backbone))
    cells = {(row.backbone, head): one for row in ranked for head, one in _cells(row).items()}
    shown = [names[row.backbone] for row in ranked]
    return table("Table", list(_HEADS), shown, cells, lambda cell: cell, rising=_HEADS[:2])


_HEADS = ("Rank", "Possible ranks", "Score", "Low", "High", "Standard error")


def _cells(row: GroupRow) -> dict[str, Figure]:
    if row.value is None:
        return dict.fromkeys(_HEADS, gap(row))
    score = [row.value, row.low, row.high, row.error]
    return {
        "Rank": Figure(row.rank, str(row.rank)),
        "Possible ranks": Figure(row.rank_low, _places(row)),
        **{
            head: Figure(lacks=NOT_KNOWN) if value is None else Figure(value, f"{value:.1f}")
            for head, value in zip(_HEADS[2:], score, strict=True)
        },
    }


def _places(row: GroupRow) -> str:
    """The ranks that an entry might have; the one that it is sure of."""
    low, high = row.rank_low, row.rank_high
    return str(low) if low == high else f"{low}–{high}"


def gaps_of(rows: Sequence[GroupRow], names: EntryNames) -> list[tuple[str, str, str]]:
    """Who lacks what: entry, group, datasets."""
    return [
        (_named(names[row.backbone]), row.group, ", ".join(row.missing))
        for row in rows
        if row.missing
    ]


def _named(entry: EntryName) -> str:
    return f"{entry.shown} {entry.file}".strip()
