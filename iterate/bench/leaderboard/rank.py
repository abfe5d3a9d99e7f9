"""Ranks entries: every backbone on every capability group and every dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.leaderboard.normaliser import Normaliser, scales_of
from iterate.bench.leaderboard.rows import POINTS, DatasetRow, GroupFindings, GroupRow, Leaderboard
from iterate.bench.suites.suite import Suite
from iterate.statistics import published
from iterate.statistics.comparisons import Comparison, alike, compare, ranks
from iterate.statistics.copies import copies, entwined, varies, with_copies
from iterate.statistics.friedman import critical_difference
from iterate.statistics.intervals import Estimate, Range, mean_estimate, pool_estimate, pool_range
from iterate.statistics.scores import Scale, Scores, iqm
from iterate.statistics.spread import spread


def build(
    entries: Sequence[BoardEntry],
    suite: Suite,
    normaliser: Normaliser = "suite",
    notes: Sequence[str] = (),
    unlike: Mapping[str, str] | None = None,
) -> Leaderboard:
    """Rank entries.

    Args:
        entries: From `entries_of`.
        suite: The benchmark.
        normaliser: See `Normaliser`.
        notes: To carry along.
        unlike: Dataset → how what was measured is not the published dataset. The suite's scale
            says nothing of it, so raw scores stand in its place.
    """
    told = list(notes)
    by = scales_of(entries, suite, normaliser, unlike or {}, told)
    rows: list[GroupRow] = []
    findings: list[GroupFindings] = []
    same: dict[tuple[str, str, str], list[str]] = {}
    for track in suite.tracks:
        for group, members in suite.groups.items():
            own = [entry for entry in entries if entry.track == track]
            found = _Group(track, group, members, own, by, suite)
            rows += found.rows()
            for pair in found.copies.items():
                same.setdefault((track, *pair), []).append(group)
            findings += found.findings()
    told += [
        f"{copy} has the same scores as {first} on every dataset of {', '.join(groups)} ({track}); "
        "comparisons and average ranks count them once there."
        for (track, copy, first), groups in same.items()
    ]
    return Leaderboard(
        suite,
        tuple(entries),
        by,
        normaliser if isinstance(normaliser, str) else "given",
        tuple(rows),
        tuple(_dataset_rows(entries, by, suite)),
        tuple(findings),
        tuple(told),
        dict(unlike or {}),
    )


class _Group:
    """The entries of one track on one group."""

    def __init__(
        self,
        track: str,
        group: str,
        members: Sequence[str],
        entries: Sequence[BoardEntry],
        by: Mapping[str, Scale],
        suite: Suite,
    ) -> None:
        self._track, self._group, self._members = track, group, members
        self._entries = entries
        self._rows = {
            entry.label: {
                name: by[name].normalise(entry.cells[name].values)
                for name in members
                if name in entry.cells and name in by
            }
            for entry in entries
        }
        self._cells = {
            entry.label: {
                name: by[name].normalise(entry.cells[name].by_seed)
                for name in self._rows[entry.label]
            }
            for entry in entries
        }
        self._whole = [e for e in entries if len(self._cells[e.label]) == len(members)]
        self._estimates: dict[str, Estimate] = {}
        reach: dict[str, Range] = {}
        for entry in self._whole:
            strata = list(self._cells[entry.label].values())
            ranges = [by[name].normalised(suite.limits(name)) for name in self._cells[entry.label]]
            self._estimates[entry.label] = pool_estimate(strata, ranges)
            reach[entry.label] = pool_range(strata, ranges)
        self.copies = copies({e.label: self._cells[e.label] for e in self._whole})
        single = {name: one for name, one in self._estimates.items() if name not in self.copies}
        pools = {name: list(self._cells[name].values()) for name in single}
        self._comparisons = compare(single, reach, entwined(pools, single))
        # What an entry differs from, its copies differ from.
        self._pairs = with_copies(self._comparisons, self.copies)

    def rows(self) -> list[GroupRow]:
        """A row for each entry that has any of the group's datasets."""
        rounds = self._rounds()
        places = ranks(self._estimates, self._pairs)
        rows = []
        for entry in self._entries:
            cells = self._cells[entry.label]
            shared = (entry.label, self._track, self._group)
            if entry.label in self._estimates:
                estimate, place = self._estimates[entry.label], places[entry.label]
                drawn = rounds[entry.label]
                vary = [varies(scores) for scores in self._rows[entry.label].values()]
                rows.append(
                    GroupRow(
                        *shared,
                        value=POINTS * estimate.value,
                        error=_points(estimate.error),
                        low=_points(estimate.low),
                        high=_points(estimate.high),
                        rank=place.rank,
                        rank_low=place.low,
                        rank_high=place.high,
                        published_value=POINTS * published.value(drawn),
                        published_error=POINTS * published.error(drawn) if any(vary) else None,
                        bootstrap_sd=POINTS * published.bootstrap_sd(drawn) if all(vary) else None,
                        published=entry.published,
                    )
                )
            elif cells:
                missing = tuple(name for name in self._members if name not in cells)
                rows.append(GroupRow(*shared, published=entry.published, missing=missing))
        return rows

    def _rounds(self) -> dict[str, Scores]:
        """The leaderboard's own bootstrap, which resamples each submission as a whole."""
        found: dict[str, Scores] = {}
        for submission in dict.fromkeys(entry.submission for entry in self._entries):
            labels = {e.backbone: e.label for e in self._entries if e.submission == submission}
            cells = {
                (backbone, name): scores
                for backbone, label in labels.items()
                for name, scores in self._rows[label].items()
            }
            if cells:
                drawn = published.resampled(cells)
                found.update({labels[backbone]: rounds for backbone, rounds in drawn.items()})
        return found

    def findings(self) -> list[GroupFindings]:
        """What the entries show together; nothing with fewer than two."""
        if len(self._whole) < 2:
            return []
        means = {
            label: {name: float(self._cells[label][name].mean()) for name in self._members}
            for label in self._estimates
            if label not in self.copies
        }
        single = [e for e in self._whole if not e.repeated and e.label not in self.copies]
        return [
            GroupFindings(
                self._track,
                self._group,
                tuple(_in_points(pair) for pair in self._comparisons),
                tuple(alike(self._estimates, self._pairs)),
                critical_difference(means),
                spread({e.label: self._cells[e.label] for e in single}),
            )
        ]


def _points(value: float | None) -> float | None:
    return None if value is None else POINTS * value


def _in_points(pair: Comparison) -> Comparison:
    one = pair.difference
    scaled = Estimate(
        POINTS * one.value, _points(one.error), one.freedom, _points(one.low), _points(one.high)
    )
    return Comparison(pair.first, pair.second, scaled, pair.p, pair.adjusted)


def _dataset_rows(
    entries: Sequence[BoardEntry], by: Mapping[str, Scale], suite: Suite
) -> list[DatasetRow]:
    return [
        _dataset_row(entry, name, by.get(name), suite.limits(name))
        for entry in entries
        for name in suite.datasets
        if name in entry.cells
    ]


def _dataset_row(entry: BoardEntry, name: str, scale: Scale | None, limits: Range) -> DatasetRow:
    cell = entry.cells[name]
    rows, scores = cell.values, cell.by_seed
    raw = mean_estimate(scores, limits)
    row = DatasetRow(
        entry.label,
        entry.track,
        name,
        mean=raw.value,
        sd=float(np.std(scores, ddof=1)) if len(scores) > 1 else None,
        sem=published.sem(scores),
        mean_low=raw.low,
        mean_high=raw.high,
        n=len(scores),
        published_mean=float(rows.mean()),
        published=entry.published,
        repeated=name in entry.repeated,
        # The same mean, summed in another order, may differ in its last digit.
        sample_low=None if cell.samples is None else min(cell.samples[0], raw.value),
        sample_high=None if cell.samples is None else max(cell.samples[1], raw.value),
    )
    if scale is None:
        return row
    normalised, as_stored = scale.normalise(scores), scale.normalise(rows)
    estimate = pool_estimate([normalised], [scale.normalised(limits)])
    drawn = published.resampled({(entry.label, name): as_stored})[entry.label]
    return replace(
        row,
        value=POINTS * float(iqm(normalised)),
        published_value=POINTS * float(iqm(as_stored)),
        published_error=_points(published.trimmed_sem(as_stored)) if varies(rows) else None,
        bootstrap_sd=POINTS * published.bootstrap_sd(drawn) if varies(rows) else None,
        low=_points(estimate.low),
        high=_points(estimate.high),
    )
