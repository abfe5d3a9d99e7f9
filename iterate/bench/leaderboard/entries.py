"""From the rows of several files to the entries of a leaderboard, nothing counted twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from iterate.bench.leaderboard.results_csv import Result, ResultsFile
from iterate.bench.suites.suite import Suite
from iterate.statistics.scores import Scores

# Cells that a note names; more are counted.
_NAMED = 3


@dataclass
class BoardEntry:
    """One backbone as one submission ran it.

    Attributes:
        label: Unique within the track: the backbone, with its file where two files disagree.
        backbone: Its key.
        track: Its track.
        submission: The file that it belongs to.
        published: Whether that file is a published baseline.
        cells: Dataset → scores as stored, in the order of the file's rows.
        seeds: Dataset → the seed of each of these scores.
        repeated: Datasets whose scores are those of an earlier entry of the same backbone, bit for
            bit: they belong to this entry's groups, and count once in figures over all entries.
    """

    label: str
    backbone: str
    track: str
    submission: str
    published: bool
    cells: dict[str, Scores] = field(default_factory=dict)
    seeds: dict[str, tuple[int, ...]] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    def by_seed(self, dataset: str) -> Scores:
        """(seeds,) scores, the mean of those that share a seed: they are not independent."""
        seeds, scores = np.array(self.seeds[dataset]), self.cells[dataset]
        distinct = dict.fromkeys(self.seeds[dataset])
        if len(distinct) == len(seeds):
            return scores
        return np.array([scores[seeds == seed].mean() for seed in distinct])


_Cells = dict[str, list[Result]]


def entries_of(
    files: Sequence[ResultsFile],
    suite: Suite,
    fraction: float = 1.0,
    published: frozenset[str] = frozenset(),
) -> tuple[list[BoardEntry], list[str]]:
    """Bring files together.

    A file adds to the entry of an earlier one where the two do not contradict each other: other
    datasets, or the same scores of the same seeds. Where a cell differs, the later file's backbone
    is an entry of its own.

    Args:
        files: As read.
        suite: The benchmark.
        fraction: Only results with this share of the training data.
        published: Contents (sha256) that are published baselines besides those the suite knows.

    Returns:
        The entries, and what to tell people about repeats and rows left out.
    """
    known = published | {one.sha256 for one in suite.published}
    entries: list[BoardEntry] = []
    notes: list[str] = []
    for file in files:
        repeats = cells = 0
        shared: list[str] = []
        for (track, backbone), found in _cells(file, fraction).items():
            cells += len(found)
            shared += [f"{backbone} on {name}" for name, rows in found.items() if _clustered(rows)]
            repeats += _add(entries, file, track, backbone, found, file.sha256 in known)
        if repeats:
            notes.append(
                f"{repeats} of the {cells} cells of {file.label} repeat an earlier file bit for "
                "bit; they are counted once."
            )
        notes += _odd_rows(file, shared, fraction)
        if not cells:
            notes.append(f"{file.label} has no results at {fraction:.2f}x of the training data.")
    return entries, notes


def _odd_rows(file: ResultsFile, shared: Sequence[str], fraction: float) -> Iterator[str]:
    """What to tell of rows left out, and of those that are no further seeds."""
    others = sum(not _has_share(result, fraction) for result in file.results)
    if 0 < others < len(file.results):
        yield (
            f"Rows of {file.label} at another share of the training data than {fraction:.2f}x, "
            f"which are left out: {others}."
        )
    if file.copies:
        yield (
            f"Rows of {file.label} that are the same as another in every cell: {file.copies}. "
            "They count once."
        )
    if shared:
        named = ", ".join(shared[:_NAMED]) + (", …" if len(shared) > _NAMED else "")
        yield (
            f"Cells of {file.label} with several scores under one seed: {len(shared)} ({named}). "
            "Such a seed counts once, with their mean; figures as published take every row."
        )


def _clustered(rows: Sequence[Result]) -> bool:
    return len({result.seed for result in rows}) < len(rows)


def _has_share(result: Result, fraction: float) -> bool:
    return abs(result.fraction - fraction) < 1e-9


def _cells(file: ResultsFile, fraction: float) -> dict[tuple[str, str], _Cells]:
    found: dict[tuple[str, str], _Cells] = {}
    for result in file.results:
        if _has_share(result, fraction):
            cells = found.setdefault((result.track, result.backbone), {})
            cells.setdefault(result.dataset, []).append(result)
    return found


def _add(
    entries: list[BoardEntry],
    file: ResultsFile,
    track: str,
    backbone: str,
    found: _Cells,
    published: bool,
) -> int:
    """Add one backbone of one file; returns how many of its cells were there already."""
    scores = {
        dataset: np.array([result.score for result in rows], dtype=np.float64)
        for dataset, rows in found.items()
    }
    earlier = [one for one in entries if (one.track, one.backbone) == (track, backbone)]
    repeated = {
        dataset
        for dataset, values in scores.items()
        if any(_same(one.cells.get(dataset), values) for one in earlier)
    }
    home = next((one for one in earlier if _agrees(one, scores)), None)
    if home is None:
        label = backbone if not earlier else f"{backbone} ({file.label})"
        home = BoardEntry(label, backbone, track, file.label, published, repeated=repeated)
        entries.append(home)
    for dataset, values in scores.items():
        if dataset not in home.cells:
            home.cells[dataset] = values
            home.seeds[dataset] = tuple(result.seed for result in found[dataset])
    home.published = home.published and published
    return len(repeated)


def _agrees(entry: BoardEntry, scores: dict[str, Scores]) -> bool:
    return all(
        dataset not in entry.cells or _same(entry.cells[dataset], values)
        for dataset, values in scores.items()
    )


def _same(first: Scores | None, second: Scores) -> bool:
    return first is not None and np.array_equal(np.sort(first), np.sort(second))
