"""Would the order hold on other datasets? Average ranks and their critical difference.

Here datasets are the chance and seeds are averaged out, the reverse of `comparisons`. Method:
Friedman's test and Nemenyi's critical difference (Demšar 2006, JMLR 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from iterate.statistics.scores import Scores


@dataclass(frozen=True)
class CriticalDifference:
    """Average ranks over datasets.

    Attributes:
        ranks: Backbone → average rank, 1 the best, best first.
        difference: Two average ranks closer than this cannot be told apart.
        p: Friedman's probability that no backbone differs; None with fewer than three.
        groups: The largest runs of backbones closer than `difference`, best first.
    """

    ranks: dict[str, float]
    difference: float
    p: float | None
    groups: list[tuple[str, ...]]


def critical_difference(
    scores: Mapping[str, Mapping[str, float]], alpha: float = 0.05
) -> CriticalDifference | None:
    """Compare backbones over datasets.

    Args:
        scores: Backbone → dataset → mean score, higher is better.
        alpha: The chance of any false finding.

    Returns:
        None with fewer than two backbones or two datasets.

    Raises:
        ValueError: The backbones have different datasets.
    """
    names = list(scores)
    datasets = list(scores[names[0]]) if names else []
    if any(set(scores[name]) != set(datasets) for name in names):
        raise ValueError("every backbone must have a score on the same datasets")
    if len(names) < 2 or len(datasets) < 2:
        return None
    table = np.array([[scores[name][dataset] for dataset in datasets] for name in names])
    average = stats.rankdata(-table, axis=0).mean(axis=1)
    ranked = {names[i]: float(average[i]) for i in np.argsort(average, kind="stable")}
    count = len(names)
    reach = float(stats.studentized_range.ppf(1 - alpha, count, np.inf) / np.sqrt(2))
    difference = reach * float(np.sqrt(count * (count + 1) / (6 * len(datasets))))
    p = _chance(table) if count > 2 else None
    return CriticalDifference(ranked, difference, p, _runs(ranked, difference))


def _chance(table: Scores) -> float:
    """Friedman's probability; where all tie everywhere, his statistic is 0 / 0: none differs."""
    if (table == table[0]).all():
        return 1.0
    return float(stats.friedmanchisquare(*table).pvalue)


def _runs(ranked: Mapping[str, float], difference: float) -> list[tuple[str, ...]]:
    names = list(ranked)
    groups: list[tuple[str, ...]] = []
    reached = 0
    for start in range(len(names)):
        near = [name for name in names[start:] if ranked[name] - ranked[names[start]] < difference]
        if len(near) > 1 and start + len(near) > reached:
            groups.append(tuple(near))
            reached = start + len(near)
    return groups
