"""Scores against costs: each entry a point, with the interval of its score."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from iterate.bench.leaderboard.costs import KINDS, CostKind, costs_of, devices
from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.leaderboard.page.cost_points import Point, Step, front_of, level, steps
from iterate.bench.leaderboard.page.cost_points import points as cost_points
from iterate.bench.leaderboard.page.names import EntryName, EntryNames
from iterate.bench.leaderboard.page.plots import Tick
from iterate.bench.leaderboard.page.tables import Figure, Table, ends, points, table
from iterate.bench.leaderboard.rows import GroupRow, Leaderboard
from iterate.bench.leaderboard.tables import NOT_KNOWN
from iterate.pages.axis import axis_of, log_axis_of

FRONT = "On the front"


class CostView(NamedTuple):
    """One kind of cost.

    Attributes:
        title: Its name.
        meaning: What it counts, and what to mind.
        across: The ticks of the costs.
        up: Those of the scores, from the top.
        points: Best last, so that it lies above the others.
        steps: The front, drawn.
        figures: The same as a table.
        free: Entries that cost nothing, which has no place on the axis.
        lacking: Entries of which nothing tells this cost.
    """

    title: str
    meaning: str
    across: list[Tick]
    up: list[Tick]
    points: list[Point]
    steps: list[Step]
    figures: Table
    free: list[EntryName]
    lacking: list[EntryName]

    @property
    def theirs(self) -> bool:
        """Whether any point is a published baseline."""
        return any(point.backbone.published for point in self.points)


class CostGroup(NamedTuple):
    """A group against every kind of cost that is known of any entry.

    Attributes:
        title: Its name.
        key: Of the choice among its views.
        views: By their keys.
    """

    title: str
    key: str
    views: dict[str, CostView]


def cost_group(
    board: Leaderboard, rows: Sequence[GroupRow], names: EntryNames, key: str
) -> CostGroup:
    """A group's entries against their costs.

    Args:
        board: The leaderboard.
        rows: Those of one track and group that have a score, best first.
        names: How entries are shown.
        key: Begins the keys of the views.
    """
    entries = {(entry.track, entry.label): entry for entry in board.entries}
    own = [entries[row.track, row.backbone] for row in rows]
    members = board.suite.groups[rows[0].group]
    views = {}
    known = {one.label: costs_of(board, one, members) for one in own}
    for kind in KINDS:
        costs = {label: told[kind.key] for label, told in known.items()}
        if any(cost is not None for cost in costs.values()):
            meaning = " ".join(_meaning(board, kind, own, members))
            views[f"{key}-{kind.key}"] = _view(kind, rows, costs, names)._replace(meaning=meaning)
    return CostGroup(rows[0].group, key, views)


def _meaning(
    board: Leaderboard, kind: CostKind, entries: Sequence[BoardEntry], members: Sequence[str]
) -> Iterator[str]:
    yield kind.meaning
    if len(members) > 1 and kind.listed is None:
        yield "The mean over the group's datasets."
    if kind.timed:
        yield devices(board, entries, members)


def _view(
    kind: CostKind,
    rows: Sequence[GroupRow],
    costs: Mapping[str, float | None],
    names: EntryNames,
) -> CostView:
    paid = {label: cost for label, cost in costs.items() if cost is not None}
    known = [row for row in rows if row.backbone in paid]
    placed = [row for row in known if paid[row.backbone] > 0]
    front = front_of(known, paid)
    view = CostView(
        kind.title,
        kind.meaning,
        across=[],
        up=[],
        points=[],
        steps=[],
        figures=_figures(kind, known, paid, front, names),
        free=[names[row.backbone] for row in known if row not in placed],
        lacking=[names[row.backbone] for row in rows if row not in known],
    )
    if not placed:
        return view
    across = [paid[row.backbone] for row in placed]
    axis = log_axis_of(min(across), max(across), kind.marks)
    tall = [end for row in placed for end in (row.value, row.low, row.high) if end is not None]
    up = axis_of(min(tall), max(tall))
    return view._replace(
        across=[Tick(axis.at(tick), kind.text(tick)) for tick in axis.ticks],
        up=[Tick(level(up, tick), up.text(tick)) for tick in up.ticks],
        points=cost_points(kind, placed, paid, names, axis, up, front),
        steps=steps([row for row in placed if row.backbone in front], paid, axis, up),
    )


def _figures(
    kind: CostKind,
    rows: Sequence[GroupRow],
    costs: Mapping[str, float],
    front: Collection[str],
    names: EntryNames,
) -> Table:
    cells: dict[tuple[str, str], Figure] = {}
    for row in rows:
        cost = costs[row.backbone]
        on = row.backbone in front
        cells |= {
            (row.backbone, "Rank"): Figure(row.rank, str(row.rank)),
            (row.backbone, "Score"): points(
                row.value or 0.0, ends(row.low, row.high, ".0f") or (NOT_KNOWN,)
            ),
            (row.backbone, kind.title): Figure(cost, kind.text(cost)),
            (row.backbone, FRONT): Figure(float(on), "yes" if on else "no"),
        }
    shown = [names[row.backbone] for row in rows]
    heads = ["Rank", "Score", kind.title, FRONT]
    return table("", heads, shown, cells, lambda cell: cell, rising=("Rank", kind.title))
