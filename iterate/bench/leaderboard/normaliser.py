"""What 0 and 1 mean on each dataset of a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.suites.suite import Suite, SuiteDataset
from iterate.statistics.scores import Scale, scales

Normaliser = Mapping[str, Scale] | Literal["suite", "computed"]
"""``"suite"``: the suite's own scales, and computed from the entries for datasets where it has
none; ``"computed"``: from the entries alone; or given ones."""


def computed_normaliser(entries: Sequence[BoardEntry], suite: Suite) -> dict[str, Scale]:
    """The min–max normaliser of these results: over the first track's, or over all without any."""
    main = next(iter(suite.tracks))
    chosen = [entry for entry in entries if entry.track == main] or list(entries)
    falling = {name for name, dataset in suite.datasets.items() if dataset.direction == "min"}
    cells = [(name, cell.values) for entry in chosen for name, cell in entry.cells.items()]
    return scales(cells, falling)


def scales_of(
    entries: Sequence[BoardEntry],
    suite: Suite,
    normaliser: Normaliser,
    unlike: Mapping[str, str],
    told: list[str],
) -> dict[str, Scale]:
    """The scale of each dataset that has one.

    Args:
        entries: Whose scores are to be normalised.
        suite: The benchmark.
        normaliser: See `Normaliser`.
        unlike: Dataset → how what was measured is not the published dataset.
        told: What to tell people of the scales is added to it.
    """
    computed = computed_normaliser(entries, suite)
    if normaliser == "suite":
        own = {name: one.scale for name, one in suite.datasets.items() if one.scale is not None}
        raw = {name: _raw_scale(suite.datasets[name]) for name in unlike}
        by = {**computed, **own, **raw}
        filled = [name for name in computed if name not in own and name not in raw]
        if filled:
            told.append(f"The results at hand set the scale of {', '.join(filled)}.")
        told += [
            f"{name} does not count as the published dataset: {why}. Its points are raw scores × "
            "100, and compare with no published figure."
            for name, why in unlike.items()
        ]
    else:
        by = dict(computed if normaliser == "computed" else normaliser)
    cells = [(name, cell.values) for entry in entries for name, cell in entry.cells.items()]
    steep = {name for name, scores in cells if name in by and not by[name].carries(scores)}
    by = {name: scale for name, scale in by.items() if name not in steep}
    bare = sorted({name for name, _ in cells if name not in by})
    if bare:
        told.append(f"No scale for {', '.join(bare)}: only raw scores there.")
    return by


def _raw_scale(dataset: SuiteDataset) -> Scale:
    """Scores as they are; where lower is better, what they lack to 1."""
    return Scale(0.0, 1.0) if dataset.direction == "max" else Scale(1.0, 0.0)
