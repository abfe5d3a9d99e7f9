"""Scores on one scale, and their robust average."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]

# The share of a pool that the interquartile mean leaves out at each end.
CUT = 0.25

# Beyond this, squares and sums leave the range of float64; no score of a benchmark is near it.
LARGEST = 1e100


@dataclass(frozen=True)
class Scale:
    """What 0 and 1 mean on a dataset: the worst and the best score of the reference results.

    Nothing is clipped: results outside the reference lie below 0 or above 1. Where lower is
    better, `worst` is the larger of the two.
    """

    worst: float
    best: float

    def __post_init__(self) -> None:
        usable = (np.abs([self.worst, self.best]) <= LARGEST).all()
        if not (usable and self.worst != self.best):
            raise ValueError(f"must be two finite, different ends: ({self.worst}, {self.best})")

    def carries(self, scores: npt.ArrayLike) -> bool:
        """Whether normalised scores can be reckoned with; else its ends are too close."""
        return float(np.abs(self.normalise(scores)).max()) <= LARGEST

    def normalised(self, limits: tuple[float, float]) -> tuple[float, float]:
        """The least and the greatest normalised score where raw ones have these limits."""
        low, high = sorted(map(float, self.normalise(limits)))
        return low, high

    def normalise(self, scores: npt.ArrayLike) -> Scores:
        """``(score − worst) / (best − worst)``, one by one."""
        values: Scores = np.asarray(scores, dtype=np.float64)
        with np.errstate(over="ignore"):  # between ends that are all but equal; see `carries`
            return (values - self.worst) / (self.best - self.worst)


def scales(
    scores: Iterable[tuple[str, npt.ArrayLike]], descending: Container[str] = ()
) -> dict[str, Scale]:
    """The min–max normaliser over every single score, not over means.

    Args:
        scores: (dataset, its scores) pairs; a dataset may come many times.
        descending: The datasets on which lower is better.

    Returns:
        A scale for each dataset that has two different scores.
    """
    ends: dict[str, tuple[float, float]] = {}
    for dataset, values in scores:
        low, high = float(np.min(values)), float(np.max(values))
        known = ends.get(dataset, (low, high))
        ends[dataset] = (min(low, known[0]), max(high, known[1]))
    return {
        dataset: Scale(high, low) if dataset in descending else Scale(low, high)
        for dataset, (low, high) in ends.items()
        if low < high
    }


def iqm(values: npt.ArrayLike, axis: int = -1) -> Scores:
    """The interquartile mean: ``int(n / 4)`` values are left out at each end.

    As ``scipy.stats.trim_mean(values, 0.25)``, and exactly so; 5 values leave the middle 3.

    Raises:
        ValueError: There is no value along the axis.
    """
    ordered = np.sort(np.moveaxis(np.asarray(values, dtype=np.float64), axis, -1), axis=-1)
    count = ordered.shape[-1]
    if count == 0:
        raise ValueError("the interquartile mean of nothing is not defined")
    cut = int(CUT * count)
    return np.asarray(ordered[..., cut : count - cut].mean(axis=-1))
