"""How much of the spread between backbones each dataset explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from iterate.statistics.scores import Scores
from iterate.statistics.ties import ROUNDING


@dataclass(frozen=True)
class Spread:
    """One dataset's part in a group's ranking.

    Attributes:
        share: Its covariance with the group's mean score over that score's variance, the shares
            of a group adding to 1; below 0 where it ranks against the group.
        between: Standard deviation of the backbones' mean scores on it (ddof 1).
        seeds: Standard deviation over seeds, pooled over backbones; None without repeats.
    """

    share: float
    between: float
    seeds: float | None


def spread(cells: Mapping[str, Mapping[str, Scores]]) -> dict[str, Spread]:
    """Decompose the variance of the backbones' mean scores into the datasets' parts.

    The score of a backbone is the mean over datasets of its mean over seeds; the variance of a
    sum is the sum of its terms' covariances with it.

    Args:
        cells: Backbone → dataset → normalised scores over seeds.

    Returns:
        Dataset → its part; empty with fewer than two backbones or no spread at all.
    """
    names = list(cells)
    if len(names) < 2:
        return {}
    datasets = list(cells[names[0]])
    means = np.array([[cells[name][dataset].mean() for dataset in datasets] for name in names])
    centred = means - means.mean(axis=0)
    score = centred.mean(axis=1)
    largest = float(np.abs(score).max())
    if largest <= ROUNDING * float(np.abs(means).max()):
        return {}
    score = score / largest  # squares of tiny differences would vanish
    shares = (centred / largest).T @ score / float(score @ score) / len(datasets)
    return {
        dataset: Spread(
            float(shares[i]),
            float(means[:, i].std(ddof=1)),
            _pooled([cells[name][dataset] for name in names]),
        )
        for i, dataset in enumerate(datasets)
    }


def _pooled(strata: list[Scores]) -> float | None:
    freedom = sum(len(stratum) - 1 for stratum in strata)
    if freedom == 0:
        return None
    squares = sum(float(((stratum - stratum.mean()) ** 2).sum()) for stratum in strata)
    return float((squares / freedom) ** 0.5)
