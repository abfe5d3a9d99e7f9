"""Where entries stand in a plot of scores against costs, and the front among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from iterate.bench.leaderboard.costs import CostKind
from iterate.bench.leaderboard.page.labels import Label, Spot, labels
from iterate.bench.leaderboard.page.names import EntryName, EntryNames
from iterate.bench.leaderboard.rows import GroupRow
from iterate.pages.axis import Axis, LogAxis

# Points nearer than this share of the axis stand side by side, so many pixels apart.
_NEAR = 0.02
_APART = 17


class Point(NamedTuple):
    """An entry, laid out.

    Attributes:
        backbone: Its entry.
        rank: Its place in the group, of all entries.
        at: Where its cost stands on the axis.
        aside: By how many pixels it stands aside, where others cost the same.
        level: Where its score stands, from the top.
        interval: Where the interval ends, from the top; None where not known.
        front: Whether no other of at most its cost scores as high.
        told: All of it in words.
        label: Where its name stands; None where there is no room for it.
    """

    backbone: EntryName
    rank: int
    at: str
    aside: float
    level: str
    interval: tuple[str, str] | None
    front: bool
    told: str
    label: Label | None


class Step(NamedTuple):
    """A part of the line below which no cheaper entry scores higher: its ends as CSS lengths."""

    left: str
    right: str
    start: str
    stop: str


def points(
    kind: CostKind,
    rows: Sequence[GroupRow],
    costs: Mapping[str, float],
    names: EntryNames,
    axis: LogAxis,
    up: Axis,
    front: Collection[str],
) -> list[Point]:
    """Every entry, the worst first."""
    aside = _aside(rows, costs, axis)
    # Those of the front are named before all others.
    rows = sorted(rows, key=lambda row: row.backbone not in front)
    spots = [
        Spot(
            axis.share(costs[row.backbone]),
            aside[row.backbone],
            1 - up.share(row.value or 0.0),
            names[row.backbone].shown,
        )
        for row in rows
    ]
    found = [
        Point(
            names[row.backbone],
            row.rank or 0,
            axis.at(costs[row.backbone]),
            aside[row.backbone],
            level(up, row.value or 0.0),
            None
            if row.low is None or row.high is None
            else (level(up, row.low), level(up, row.high)),
            row.backbone in front,
            f"{spot.name}: {row.value or 0.0:.1f} points, {kind.text(costs[row.backbone])}",
            label,
        )
        for row, spot, label in zip(rows, spots, labels(spots), strict=True)
    ]
    return sorted(found, key=lambda point: -point.rank)


def front_of(rows: Sequence[GroupRow], costs: Mapping[str, float]) -> set[str]:
    """The entries that no other of at most their cost equals or outdoes.

    Of entries with the same cost and score, none outdoes the other.
    """
    return {
        row.backbone
        for row in rows
        if not any(
            costs[other.backbone] <= costs[row.backbone]
            and (other.value or 0.0) >= (row.value or 0.0)
            and (costs[other.backbone], other.value) != (costs[row.backbone], row.value)
            for other in rows
        )
    }


def level(axis: Axis, value: float) -> str:
    """Where a score stands, from the top."""
    return f"{100 * (1 - axis.share(value)):.2f}%"


def _aside(rows: Sequence[GroupRow], costs: Mapping[str, float], axis: LogAxis) -> dict[str, float]:
    """By how many pixels entries of nearly one cost stand aside, the best of them leftmost."""
    crowds: list[list[GroupRow]] = []
    for row in sorted(rows, key=lambda row: costs[row.backbone]):
        share = axis.share(costs[row.backbone])
        if crowds and share - axis.share(costs[crowds[-1][0].backbone]) <= _NEAR:
            crowds[-1].append(row)
        else:
            crowds.append([row])
    return {
        row.backbone: _APART * (place - (len(crowd) - 1) / 2)
        for crowd in crowds
        for place, row in enumerate(sorted(crowd, key=lambda row: row.rank or 0))
    }


def steps(
    front: Sequence[GroupRow], costs: Mapping[str, float], axis: LogAxis, up: Axis
) -> list[Step]:
    """Along each entry of the front to the cost of the next, and up to that."""
    found = []
    ordered = sorted(front, key=lambda row: costs[row.backbone])
    for one, other in pairwise(ordered):
        left, right = axis.at(costs[one.backbone]), axis.at(costs[other.backbone])
        low, high = level(up, one.value or 0.0), level(up, other.value or 0.0)
        found += [Step(left, right, low, low), Step(right, right, low, high)]
    if ordered:
        last = level(up, ordered[-1].value or 0.0)
        found.append(Step(axis.at(costs[ordered[-1].backbone]), "100%", last, last))
    return found
