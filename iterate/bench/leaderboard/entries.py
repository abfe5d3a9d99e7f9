"""From the rows of several files to the entries of a leaderboard, nothing counted twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from iterate.bench.leaderboard.portion import WHOLE, Portion
from iterate.bench.leaderboard.results_csv import ResultsFile
from iterate.bench.leaderboard.score import Repeats
from iterate.bench.suites.suite import Suite
from iterate.statistics.copies import equal

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
        cells: Dataset → its scores.
        repeated: Datasets whose scores are those of an earlier entry of the same backbone, bit for
            bit: they belong to this entry's groups, and count once in figures over all entries.
        origins: Dataset → the file that its scores were taken from.
    """

    label: str
    backbone: str
    track: str
    submission: str
    published: bool
    cells: dict[str, Repeats] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    origins: dict[str, str] = field(default_factory=dict)


def entries_of(
    files: Sequence[ResultsFile],
    suite: Suite,
    portion: Portion = WHOLE,
    published: frozenset[str] = frozenset(),
) -> tuple[list[BoardEntry], list[str]]:
    """Bring files together.

    A file adds to the entry of an earlier one where the two do not contradict each other: other
    datasets, or the same scores of the same seeds. Where a cell differs, the later file's backbone
    is an entry of its own.

    Args:
        files: As read.
        suite: The benchmark.
        portion: Only results with this portion of the training data.
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
        for (track, backbone), found in _backbones(file, portion).items():
            cells += len(found)
            shared += [f"{backbone} on {name}" for name, cell in found.items() if _clustered(cell)]
            repeats += _add(entries, file, track, backbone, found, file.sha256 in known)
        if repeats:
            notes.append(
                f"{repeats} of the {cells} cells of {file.label} repeat an earlier file bit for "
                "bit; they are counted once."
            )
        notes += _odd_rows(file, shared, portion)
        if not cells:
            notes.append(f"{file.label} has no results at {portion.told}.")
    return entries, notes


def _odd_rows(file: ResultsFile, shared: Sequence[str], portion: Portion) -> Iterator[str]:
    """What to tell of rows left out, and of those that are no further seeds."""
    others = [cell for cell in file.cells if cell.portion != portion]
    if 0 < len(others) < len(file.cells):
        yield (
            f"Rows of {file.label} at another {_kind(portion)}, "
            f"which are left out: {sum(len(cell.scores) for cell in others)}."
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


def _clustered(cell: Repeats) -> bool:
    return len(cell.by_seed) < len(cell.scores)


def _kind(portion: Portion) -> str:
    """What other rows differ in."""
    if portion.shots is None:
        return f"share of the training data than {portion.share:.2f}x"
    return f"portion of the training data than {portion.told}"


def _backbones(file: ResultsFile, portion: Portion) -> dict[tuple[str, str], dict[str, Repeats]]:
    """(track, backbone) → dataset → its scores."""
    found: dict[tuple[str, str], dict[str, Repeats]] = {}
    for cell in file.cells:
        if cell.portion == portion:
            found.setdefault((cell.track, cell.backbone), {})[cell.dataset] = cell
    return found


def _add(
    entries: list[BoardEntry],
    file: ResultsFile,
    track: str,
    backbone: str,
    cells: dict[str, Repeats],
    published: bool,
) -> int:
    """Add one backbone of one file; returns how many of its cells were there already."""
    earlier = [one for one in entries if (one.track, one.backbone) == (track, backbone)]
    repeated = {
        dataset
        for dataset, cell in cells.items()
        if any(dataset in one.cells and _same(one.cells[dataset], cell) for one in earlier)
    }
    home = next((one for one in earlier if _agrees(one, cells)), None)
    if home is None:
        label = backbone if not earlier else f"{backbone} ({file.label})"
        home = BoardEntry(label, backbone, track, file.label, published, repeated=repeated)
        entries.append(home)
    for dataset, cell in cells.items():
        known = home.cells.setdefault(dataset, cell)
        home.origins.setdefault(dataset, file.label)
        # A file tells the scores of a run, but not its samples.
        if known.samples is None and cell.samples is not None:
            home.cells[dataset] = replace(known, samples=cell.samples)
    home.published = home.published and published
    return len(repeated)


def _agrees(entry: BoardEntry, cells: dict[str, Repeats]) -> bool:
    return all(
        dataset not in entry.cells or _same(entry.cells[dataset], cell)
        for dataset, cell in cells.items()
    )


def _same(first: Repeats, second: Repeats) -> bool:
    return equal(first.values, second.values)
