"""Backbones that share scores bit for bit: trainings that are told twice, not two trainings.

Scores without any spread are no sign of it: two accuracies on few samples tie easily.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from iterate.statistics.comparisons import Comparison
from iterate.statistics.intervals import Estimate, difference_estimate
from iterate.statistics.scores import Scores
from iterate.statistics.ties import tied


def varies(scores: Scores) -> bool:
    """Whether scores over seeds say something of their spread."""
    return len(scores) > 1 and not tied(scores)


def equal(first: Scores, second: Scores) -> bool:
    """Whether scores are the same, in whatever order."""
    return np.array_equal(np.sort(first), np.sort(second))


def copies(cells: Mapping[str, Mapping[str, Scores]]) -> dict[str, str]:
    """Backbones with the scores of an earlier one on every dataset.

    Args:
        cells: Backbone → dataset → scores over seeds, the same datasets for all.

    Returns:
        Copy → the first that has its scores.
    """
    found: dict[str, str] = {}
    for first, second in combinations(cells, 2):
        own, other = cells[first], cells[second]
        if {first, second} & set(found) or not any(map(varies, own.values())):
            continue
        if all(equal(scores, other[dataset]) for dataset, scores in own.items()):
            found[second] = first
    return found


def entwined(
    pools: Mapping[str, Sequence[Scores]], estimates: Mapping[str, Estimate]
) -> dict[tuple[str, str], Estimate]:
    """The differences of the pairs that share scores on some dataset.

    Args:
        pools: Backbone → the scores of each dataset, (seeds,) each, in one order of datasets.
        estimates: Backbone → its score; one without an error is not compared.
    """
    found = {}
    known = [name for name in estimates if estimates[name].error is not None]
    for first, second in combinations(known, 2):
        own, other = pools[first], pools[second]
        shared = [equal(a, b) and varies(a) for a, b in zip(own, other, strict=True)]
        if any(shared):
            found[first, second] = difference_estimate(own, other, shared)
    return found


def with_copies(pairs: Sequence[Comparison], copied: Mapping[str, str]) -> list[Comparison]:
    """The comparisons, and the same of every copy of the backbones that were compared."""
    names = {name for pair in pairs for name in (pair.first, pair.second)}
    alike = {name: [name, *(copy for copy, of in copied.items() if of == name)] for name in names}
    return [
        replace(pair, first=first, second=second)
        for pair in pairs
        for first in alike[pair.first]
        for second in alike[pair.second]
    ]
