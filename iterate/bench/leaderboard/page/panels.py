"""What the page shows of a track: its groups, tables and datasets, each a panel to choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from iterate.bench.leaderboard.page.costs import CostGroup, cost_group
from iterate.bench.leaderboard.page.links import Links
from iterate.bench.leaderboard.page.names import EntryNames, names_of
from iterate.bench.leaderboard.page.plots import Drawn, Plot, interval_plot
from iterate.bench.leaderboard.page.ranks import gaps_of, group_table, rank_table
from iterate.bench.leaderboard.page.tables import (
    Figure,
    Table,
    as_published,
    normalised,
    raw,
    score,
    table,
)
from iterate.bench.leaderboard.rows import DatasetRow, GroupFindings, GroupRow, Leaderboard
from iterate.bench.leaderboard.tables import order

AS_PUBLISHED = "As published leaderboards compute it"


class GroupDrawing(NamedTuple):
    """A group's scores, drawn."""

    title: str
    plot: Plot


class Group(NamedTuple):
    """A capability group.

    Attributes:
        title: Its name.
        key: Of the choice among its views.
        members: Its datasets.
        views: The entries that have all of them drawn, and all entries as a table.
        gaps: Those that do not.
        findings: What the entries show together.
    """

    title: str
    key: str
    members: Sequence[str]
    views: dict[str, GroupDrawing | Table]
    gaps: list[GroupRow]
    findings: list[GroupFindings]


class Dataset(NamedTuple):
    """Raw means on a dataset, with intervals over seeds and, where known, over test samples."""

    title: str
    metric: str
    meaning: str
    over_seeds: Plot
    over_samples: Plot | None


class Drawings(NamedTuple):
    """Datasets, drawn."""

    title: str
    datasets: dict[str, Dataset]


class Track(NamedTuple):
    """All of a track, every choice by the keys of its panels.

    Attributes:
        key: Begins the names of its choices.
        title: Its name for people.
        backbones: Its entries.
        groups: Those that somebody has whole.
        figures: Tables of all groups.
        gaps: Who lacks which datasets of a group: entry, group, datasets.
        costs: Those groups against what the models cost; empty where that is known of none.
        scales: Tables of all datasets, and the same drawn.
    """

    key: str
    title: str
    backbones: EntryNames
    groups: dict[str, Group]
    figures: dict[str, Table]
    gaps: list[tuple[str, str, str]]
    costs: dict[str, CostGroup]
    scales: dict[str, Table | Drawings]


def tracks_of(board: Leaderboard, links: Links) -> dict[str, Track]:
    """The tracks that have entries, by their keys."""
    there = {row.track for row in board.groups}
    return {track: _track(board, track, links) for track in board.suite.tracks if track in there}


def _track(board: Leaderboard, track: str, links: Links) -> Track:
    rows = [row for row in board.groups if row.track == track]
    means = [row for row in board.datasets if row.track == track]
    whole = {row.group for row in rows if row.value is not None}
    groups = [group for group in board.suite.groups if group in whole]
    measured = {row.dataset for row in means}
    datasets = [name for name in board.suite.datasets if name in measured]
    shown = names_of(board, track)
    by_score = [shown[label] for label in order(rows)]
    by_name = [shown[label] for label in sorted({row.backbone for row in means})]
    scores = {(row.backbone, row.group): row for row in rows}
    cells = {(row.backbone, row.dataset): row for row in means}
    reports = {
        (entry.label, name): links.cells.get((source, entry.backbone, name), "")
        for entry in board.entries
        if entry.track == track
        for name, source in entry.origins.items()
    }

    def linked(row: DatasetRow) -> Figure:
        return raw(row)._replace(link=reports[row.backbone, row.dataset])

    return Track(
        track,
        board.suite.tracks[track],
        shown,
        {group: _group(board, group, rows, shown) for group in groups},
        {
            f"{track}-score": table("Score", groups, by_score, scores, score),
            f"{track}-rank": rank_table(groups, by_score, rows),
            f"{track}-as": table(AS_PUBLISHED, groups, by_score, scores, as_published),
        },
        gaps_of(rows, shown),
        _costs(board, groups, rows, shown),
        {
            f"{track}-raw": table("Raw", datasets, by_name, cells, linked),
            f"{track}-normalised": table("Normalised", datasets, by_name, cells, normalised),
            f"{track}-plot": Drawings(
                "Drawn", {name: _dataset(board, name, means, shown) for name in datasets}
            ),
        },
    )


def _costs(
    board: Leaderboard, groups: Sequence[str], rows: Sequence[GroupRow], shown: EntryNames
) -> dict[str, CostGroup]:
    """Groups against costs, where any entry's is known."""
    found = {}
    for group in groups:
        own = [row for row in rows if row.group == group and row.value is not None]
        ranked = sorted(own, key=lambda row: row.rank or 0)
        key = f"{own[0].track}-cost-{group}"
        costs = cost_group(board, ranked, shown, key)
        if costs.views:
            found[key] = costs
    return found


def _group(board: Leaderboard, group: str, rows: Sequence[GroupRow], shown: EntryNames) -> Group:
    own = [row for row in rows if row.group == group]
    ranked = sorted((row for row in own if row.value is not None), key=lambda r: -(r.value or 0))
    drawn = [
        Drawn(
            shown[row.backbone],
            row.value or 0.0,
            row.error,
            row.low,
            row.high,
            row.rank or 0,
            row.rank_low,
            row.rank_high,
        )
        for row in ranked
    ]
    views: dict[str, GroupDrawing | Table] = {
        f"{own[0].track}-{group}-plot": GroupDrawing(
            "Drawn", interval_plot(drawn, 1, (0.0, 100.0))
        ),
        f"{own[0].track}-{group}-table": group_table(own, shown),
    }
    return Group(
        group,
        f"{own[0].track}-{group}",
        board.suite.groups[group],
        views,
        [row for row in own if row.value is None],
        [one for one in board.findings if (one.track, one.group) == (own[0].track, group)],
    )


def _dataset(
    board: Leaderboard, name: str, rows: Sequence[DatasetRow], shown: EntryNames
) -> Dataset:
    declared = board.suite.datasets[name]
    sign = -1 if declared.direction == "max" else 1
    own = sorted((row for row in rows if row.dataset == name), key=lambda row: sign * row.mean)
    ranks = [1 + sum(sign * other.mean < sign * row.mean for other in own) for row in own]
    over_seeds = [
        Drawn(shown[row.backbone], row.mean, row.sem, row.mean_low, row.mean_high, rank)
        for row, rank in zip(own, ranks, strict=True)
    ]
    over_samples = [
        Drawn(shown[row.backbone], row.mean, None, row.sample_low, row.sample_high, rank)
        for row, rank in zip(own, ranks, strict=True)
        if row.sample_low is not None
    ]
    return Dataset(
        name,
        declared.metric,
        declared.meaning,
        interval_plot(over_seeds, 4),
        interval_plot(over_samples, 4) if over_samples else None,
    )
