"""Which backbones differ, with correction for how many pairs were looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import special

from iterate.statistics.intervals import UNBOUNDED, Estimate, Range, with_error
from iterate.statistics.scores import Scores


@dataclass(frozen=True)
class Comparison:
    """Two backbones over the same datasets.

    Attributes:
        first: A backbone.
        second: Another.
        difference: First minus second, with its interval (not corrected).
        p: Two-sided probability of so large a difference by chance of the seeds alone.
        adjusted: The same after Holm's correction over all pairs of the family.
    """

    first: str
    second: str
    difference: Estimate
    p: float
    adjusted: float


@dataclass(frozen=True)
class Rank:
    """A place and the places it might be, 1 the best.

    The interval holds for all backbones at once (probability 95 %).
    """

    rank: int
    low: int
    high: int


def holm(probabilities: npt.ArrayLike) -> Scores:
    """Holm's step-down correction (Holm 1979): controls the chance of any false finding."""
    raw = np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(raw)
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def compare(
    estimates: Mapping[str, Estimate],
    ranges: Mapping[str, Range] | None = None,
    entwined: Mapping[tuple[str, str], Estimate] | None = None,
) -> list[Comparison]:
    """Every pair of backbones that have an error, by Welch's test on their group scores.

    The backbones of a pair share the datasets (which are fixed, so no dataset's difficulty enters
    the difference) and not the seeds: two trainings that carry the same seed number share no
    randomness worth pairing by.

    Args:
        estimates: Backbone → its score.
        ranges: Backbone → what its score can be; None for no limits.
        entwined: Pairs, in the order of `estimates`, that are not independent → their difference.
    """
    known = [name for name, estimate in estimates.items() if estimate.error is not None]
    pairs = list(combinations(known, 2))
    limits = ranges or dict.fromkeys(known, UNBOUNDED)
    told = entwined or {}
    found = [
        _within(told.get((a, b)) or _difference(estimates[a], estimates[b]), limits[a], limits[b])
        for a, b in pairs
    ]
    raw = [_probability(difference) for difference in found]
    return [
        Comparison(first, second, difference, p, float(adjusted))
        for (first, second), difference, p, adjusted in zip(
            pairs, found, raw, holm(raw), strict=True
        )
    ]


def _within(difference: Estimate, first: Range, second: Range) -> Estimate:
    """A difference whose interval ends where that of two such figures does."""
    if difference.error is None or difference.freedom is None:
        return difference
    apart = first[0] - second[1], first[1] - second[0]
    return with_error(difference.value, difference.error, difference.freedom, apart)


def _difference(first: Estimate, second: Estimate) -> Estimate:
    errors = np.array([first.error or 0.0, second.error or 0.0])
    freedoms = np.array([first.freedom or 1.0, second.freedom or 1.0])
    error = float(np.hypot(*errors))
    freedom = 1.0 / float(((errors / error) ** 4 / freedoms).sum())
    return with_error(first.value - second.value, error, freedom)


def _probability(difference: Estimate) -> float:
    if difference.error is None or difference.freedom is None:
        return 1.0
    return float(2 * special.stdtr(difference.freedom, -abs(difference.value) / difference.error))


def ranks(
    estimates: Mapping[str, Estimate], comparisons: Sequence[Comparison], alpha: float = 0.05
) -> dict[str, Rank]:
    """Ranks with simultaneous intervals.

    A backbone may stand anywhere between those that are significantly better and those that are
    significantly worse (Mogstad, Romano, Shaikh and Wilhelm 2024). Resampled ranks would be
    narrower and wrong where backbones are close. Without an error there is no interval but all.
    """
    names = list(estimates)
    better = dict.fromkeys(names, 0)
    worse = dict.fromkeys(names, 0)
    for pair in comparisons:
        if pair.adjusted < alpha:
            ahead = pair.difference.value > 0
            up, down = (pair.first, pair.second) if ahead else (pair.second, pair.first)
            better[down] += 1
            worse[up] += 1
    values = np.array([estimates[name].value for name in names])
    return {
        name: Rank(
            int(1 + np.sum(values > estimates[name].value)),
            1 + better[name],
            len(names) - worse[name],
        )
        for name in names
    }


def alike(
    estimates: Mapping[str, Estimate], comparisons: Sequence[Comparison], alpha: float = 0.05
) -> list[tuple[str, ...]]:
    """Groups in which no pair differs significantly, and every such pair shares one.

    A cover of the graph of pairs that do not differ by its cliques, as a compact letter display
    (Piepho 2004). Neighbours in rank would not do: where errors are unequal, two backbones may not
    differ while one between them differs from both.

    Returns:
        Groups that nobody can be added to, best first, each in order of rank; a backbone may be in
        several, and one that differs from all others is in none.
    """
    order = sorted(estimates, key=lambda name: -estimates[name].value)
    apart = {frozenset((pair.first, pair.second)) for pair in comparisons if pair.adjusted < alpha}
    groups: list[tuple[str, ...]] = []
    for pair in combinations(order, 2):
        if frozenset(pair) in apart or any(set(pair) <= set(group) for group in groups):
            continue
        group = set(pair)
        for name in order:
            if all(frozenset((name, member)) not in apart for member in group):
                group.add(name)
        groups.append(tuple(name for name in order if name in group))
    return groups
