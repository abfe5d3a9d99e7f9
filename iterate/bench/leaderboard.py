"""Ranks entries: every backbone on every capability group and every dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from iterate.bench.entries import Entry
from iterate.bench.rows import POINTS, DatasetRow, GroupFindings, GroupRow, Leaderboard
from iterate.bench.statistics import published
from iterate.bench.statistics.comparisons import Comparison, alike, compare, ranks
from iterate.bench.statistics.friedman import critical_difference
from iterate.bench.statistics.intervals import Estimate, mean_estimate, pool_estimate
from iterate.bench.statistics.scores import Scale, Scores, iqm, scales
from iterate.bench.statistics.spread import spread
from iterate.bench.suite import Suite


def computed_normaliser(entries: Sequence[Entry], suite: Suite) -> dict[str, Scale]:
    """The min–max normaliser of these results: over the first track's, or over all without any."""
    main = next(iter(suite.tracks))
    chosen = [entry for entry in entries if entry.track == main] or list(entries)
    falling = {name for name, dataset in suite.datasets.items() if dataset.direction == "min"}
    cells = [cell for entry in chosen for cell in entry.cells.items()]
    return scales(cells, falling)


def build(
    entries: Sequence[Entry],
    suite: Suite,
    normaliser: Mapping[str, Scale] | Literal["suite", "computed"] = "suite",
    notes: Sequence[str] = (),
) -> Leaderboard:
    """Rank entries.

    Args:
        entries: From `entries_of`.
        suite: The benchmark.
        normaliser: ``"suite"``: the suite's own, and computed from the entries for datasets
            where it has none; ``"computed"``: from the entries alone; or a given one.
        notes: To carry along.
    """
    computed = computed_normaliser(entries, suite)
    own = {name: one.scale for name, one in suite.datasets.items() if one.scale is not None}
    told = list(notes)
    if normaliser == "suite":
        by: dict[str, Scale] = {**computed, **own}
        filled = [name for name in computed if name not in own]
        if filled:
            told.append(f"The results at hand set the scale of {', '.join(filled)}.")
    else:
        by = dict(computed if normaliser == "computed" else normaliser)
    _tell_unscaled(entries, by, told)
    rows: list[GroupRow] = []
    findings: list[GroupFindings] = []
    for track in suite.tracks:
        for group, members in suite.groups.items():
            found = _Group(track, group, members, [e for e in entries if e.track == track], by)
            rows += found.rows()
            findings += found.findings()
    return Leaderboard(
        suite,
        tuple(entries),
        by,
        normaliser if isinstance(normaliser, str) else "given",
        tuple(rows),
        tuple(_dataset_rows(entries, by, suite)),
        tuple(findings),
        tuple(told),
    )


def _tell_unscaled(entries: Sequence[Entry], by: Mapping[str, Scale], told: list[str]) -> None:
    bare = sorted({name for entry in entries for name in entry.cells if name not in by})
    if bare:
        told.append(f"No scale for {', '.join(bare)}: only raw scores there.")


class _Group:
    """The entries of one track on one group."""

    def __init__(
        self,
        track: str,
        group: str,
        members: Sequence[str],
        entries: Sequence[Entry],
        by: Mapping[str, Scale],
    ) -> None:
        self._track, self._group, self._members = track, group, members
        self._entries = entries
        self._cells = {
            entry.label: {
                name: by[name].normalise(entry.cells[name])
                for name in members
                if name in entry.cells and name in by
            }
            for entry in entries
        }
        self._whole = [e for e in entries if len(self._cells[e.label]) == len(members)]
        self._estimates = {
            entry.label: pool_estimate(list(self._cells[entry.label].values()))
            for entry in self._whole
        }
        self._comparisons = compare(self._estimates)

    def rows(self) -> list[GroupRow]:
        """A row for each entry that has any of the group's datasets."""
        rounds = self._rounds()
        places = ranks(self._estimates, self._comparisons)
        order = _places({label: published.value(rounds[label]) for label in self._estimates})
        rows = []
        for entry in self._entries:
            cells = self._cells[entry.label]
            shared = (entry.label, self._track, self._group)
            if entry.label in self._estimates:
                estimate, drawn = self._estimates[entry.label], rounds[entry.label]
                rows.append(
                    GroupRow(
                        *shared,
                        value=POINTS * published.value(drawn),
                        published_error=POINTS * published.error(drawn),
                        bootstrap_sd=POINTS * published.bootstrap_sd(drawn),
                        low=_points(estimate.low),
                        high=_points(estimate.high),
                        iqm=POINTS * estimate.value,
                        rank=order[entry.label],
                        rank_low=min(places[entry.label].low, order[entry.label]),
                        rank_high=max(places[entry.label].high, order[entry.label]),
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
                for name, scores in self._cells[label].items()
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
        }
        single = [e for e in self._whole if not e.repeated]
        return [
            GroupFindings(
                self._track,
                self._group,
                tuple(_in_points(pair) for pair in self._comparisons),
                tuple(alike(self._estimates, self._comparisons)),
                critical_difference(means),
                spread({e.label: self._cells[e.label] for e in single}),
            )
        ]


def _places(values: Mapping[str, float]) -> dict[str, int]:
    return {
        label: 1 + sum(other > own for other in values.values()) for label, own in values.items()
    }


def _points(value: float | None) -> float | None:
    return None if value is None else POINTS * value


def _in_points(pair: Comparison) -> Comparison:
    one = pair.difference
    scaled = Estimate(
        POINTS * one.value, _points(one.error), one.freedom, _points(one.low), _points(one.high)
    )
    return Comparison(pair.first, pair.second, scaled, pair.p, pair.adjusted)


def _dataset_rows(
    entries: Sequence[Entry], by: Mapping[str, Scale], suite: Suite
) -> list[DatasetRow]:
    return [
        _dataset_row(entry, name, by.get(name))
        for entry in entries
        for name in suite.datasets
        if name in entry.cells
    ]


def _dataset_row(entry: Entry, name: str, scale: Scale | None) -> DatasetRow:
    scores = entry.cells[name]
    raw = mean_estimate(scores)
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
        published=entry.published,
        repeated=name in entry.repeated,
    )
    if scale is None:
        return row
    normalised = scale.normalise(scores)
    estimate = pool_estimate([normalised])
    drawn = published.resampled({(entry.label, name): normalised})[entry.label]
    return replace(
        row,
        value=POINTS * float(iqm(normalised)),
        published_error=_points(published.trimmed_sem(normalised)),
        bootstrap_sd=POINTS * published.bootstrap_sd(drawn) if len(scores) > 1 else None,
        low=_points(estimate.low),
        high=_points(estimate.high),
    )
