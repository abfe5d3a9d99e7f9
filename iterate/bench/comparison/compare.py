"""Compares how two results files rank the backbones that both have, group by group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.leaderboard.normaliser import Normaliser, scales_of
from iterate.bench.leaderboard.rows import POINTS
from iterate.bench.suites.suite import Suite
from iterate.statistics.agreement import Agreement, Average, Pools, agreement
from iterate.statistics.copies import equal
from iterate.statistics.scores import Scale, Scores, iqm
from iterate_core.errors import Problem, RequestError


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        label: What tells it from the other.
        told: What it is, for people: protocol, share of the training data.
        entries: Its backbones.
    """

    label: str
    told: str
    entries: tuple[BoardEntry, ...]


@dataclass(frozen=True)
class Ranking:
    """Both sides' ranks on one group, or on one dataset.

    Attributes:
        kind: What `name` is.
        name: Of a capability group, or a dataset.
        tracks: Of the first side, and of the second.
        scores: Backbone → its score on each side, best of the first side first: of a group the
            interquartile mean in points, of a dataset the mean over seeds in its metric.
        agreement: How far the two rankings agree.
        left_out: Backbone → why it is not compared.
    """

    kind: Literal["group", "dataset"]
    name: str
    tracks: tuple[str, str]
    scores: dict[str, tuple[float, float]]
    agreement: Agreement
    left_out: dict[str, str]


@dataclass(frozen=True)
class RankComparison:
    """All of a comparison.

    Attributes:
        suite: The benchmark.
        sides: The first and the second.
        rankings: Track by track, groups before datasets.
        notes: What to tell people.
    """

    suite: Suite
    sides: tuple[Side, Side]
    rankings: tuple[Ranking, ...]
    notes: tuple[str, ...]


def compare(
    first: Side,
    second: Side,
    suite: Suite,
    normaliser: Normaliser = "suite",
    notes: Sequence[str] = (),
    unlike: Mapping[str, str] | None = None,
) -> RankComparison:
    """Compare two sides on every group and dataset that both have two backbones of.

    Both are normalised on one scale. Their tracks are compared each with its like; where they
    share none and have one each, those two.

    Args:
        first: One side.
        second: The other.
        suite: The benchmark.
        normaliser: See `Normaliser`; ``"computed"`` is from both sides together.
        notes: To carry along.
        unlike: Dataset → how what was measured is not the published dataset.

    Raises:
        RequestError: The sides share no track, or no two backbones on any dataset.
    """
    told = list(notes)
    entries = [*first.entries, *second.entries]
    by = scales_of(entries, suite, normaliser, unlike or {}, told)
    rankings: list[Ranking] = []
    for tracks in _tracks(first, second, suite):
        sides = [
            {entry.backbone: entry for entry in side.entries if entry.track == track}
            for side, track in zip((first, second), tracks, strict=True)
        ]
        told += _same_trainings(*sides)
        whole = [_group(suite, name, tracks, sides, by, (first, second)) for name in suite.groups]
        single = [_dataset(suite, name, tracks, sides, (first, second)) for name in suite.datasets]
        rankings += [one for one in (*whole, *single) if one is not None]
    if not rankings:
        what = f"{first.label} and {second.label} share no two backbones on any dataset."
        raise RequestError(Problem("iterate bench compare", what))
    return RankComparison(suite, (first, second), tuple(rankings), tuple(told))


def _tracks(first: Side, second: Side, suite: Suite) -> list[tuple[str, str]]:
    """The pairs of tracks that are compared."""
    theirs = [{entry.track for entry in side.entries} for side in (first, second)]
    shared = [track for track in suite.tracks if track in theirs[0] & theirs[1]]
    if shared:
        return [(track, track) for track in shared]
    if any(len(tracks) != 1 for tracks in theirs):
        listed = [", ".join(track for track in suite.tracks if track in one) for one in theirs]
        what = f"no track is in both: {first.label} has {listed[0]}, {second.label} {listed[1]}."
        raise RequestError(Problem("iterate bench compare", what))
    return [(theirs[0].pop(), theirs[1].pop())]


Entries = Mapping[str, BoardEntry]
"""Backbone → what a side has of it, in one track."""


def _same_trainings(first: Entries, second: Entries) -> Iterator[str]:
    """Tell of cells that both sides have bit for bit: there, no two trainings are compared."""
    shared = [
        equal(cell.values, second[name].cells[dataset].values)
        for name, entry in first.items()
        if name in second
        for dataset, cell in entry.cells.items()
        if dataset in second[name].cells
    ]
    if any(shared):
        yield (
            f"{sum(shared)} of the {len(shared)} cells that both have are the same bit for bit: "
            "the same trainings, which cannot move a rank."
        )


def _group(
    suite: Suite,
    name: str,
    tracks: tuple[str, str],
    sides: Sequence[Entries],
    by: Mapping[str, Scale],
    named: tuple[Side, Side],
) -> Ranking | None:
    """Ranks by the interquartile mean of the group's normalised scores, as leaderboards rank."""
    members = suite.groups[name]
    if any(member not in by for member in members):
        return None
    shared, left_out = _shared(sides, members, named)
    pools = [
        {
            backbone: [by[one].normalise(side[backbone].cells[one].by_seed) for one in members]
            for backbone in shared
        }
        for side in sides
    ]
    return _ranking("group", name, tracks, pools, iqm, POINTS, left_out)


def _dataset(
    suite: Suite,
    name: str,
    tracks: tuple[str, str],
    sides: Sequence[Entries],
    named: tuple[Side, Side],
) -> Ranking | None:
    """Ranks by the raw mean over seeds."""
    shared, left_out = _shared(sides, (name,), named)
    sign = 1.0 if suite.datasets[name].direction == "max" else -1.0
    pools = [
        {backbone: [sign * side[backbone].cells[name].by_seed] for backbone in shared}
        for side in sides
    ]
    return _ranking("dataset", name, tracks, pools, _mean, sign, left_out)


def _mean(scores: Scores) -> Scores:
    return np.asarray(scores.mean(axis=-1))


def _ranking(
    kind: Literal["group", "dataset"],
    name: str,
    tracks: tuple[str, str],
    pools: Sequence[Pools],
    average: Average,
    factor: float,
    left_out: dict[str, str],
) -> Ranking | None:
    """None with fewer than two backbones to rank."""
    if len(pools[0]) < 2:
        return None
    scores = {
        backbone: (
            factor * float(average(np.concatenate(pools[0][backbone]))),
            factor * float(average(np.concatenate(pools[1][backbone]))),
        )
        for backbone in pools[0]
    }
    found = agreement(pools[0], pools[1], average)
    ordered = dict(sorted(scores.items(), key=lambda item: found.moves[item[0]].first))
    return Ranking(kind, name, tracks, ordered, found, left_out)


def _shared(
    sides: Sequence[Entries], members: Sequence[str], named: tuple[Side, Side]
) -> tuple[list[str], dict[str, str]]:
    """The backbones that have all of some datasets on both sides; of the others, why not."""
    shared: list[str] = []
    left_out: dict[str, str] = {}
    for backbone in dict.fromkeys(name for side in sides for name in side):
        lacking = [
            (side.label, [name for name in members if name not in _cells(entries, backbone)])
            for side, entries in zip(named, sides, strict=True)
        ]
        if all(len(missing) == len(members) for _, missing in lacking):
            continue  # neither side has anything of it here
        why = "; ".join(
            f"not in {label}" if len(missing) == len(members) else _lacks(label, missing)
            for label, missing in lacking
            if missing
        )
        if why:
            left_out[backbone] = why
        else:
            shared.append(backbone)
    return shared, left_out


def _cells(entries: Entries, backbone: str) -> Mapping[str, object]:
    entry = entries.get(backbone)
    return {} if entry is None else entry.cells


def _lacks(label: str, missing: Sequence[str]) -> str:
    return f"{label} lacks {', '.join(missing)}"
