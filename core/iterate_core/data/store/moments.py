"""Mean and deviation of more numbers than are held at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Part:
    """What is kept of some values of several variables.

    Attributes:
        count: How many of each.
        mean: (variables,) their means.
        squares: (variables,) sums of the squares of their differences from it.
    """

    count: int
    mean: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]


def part_of(values: npt.NDArray[Any]) -> Part:
    """What is kept of (variables, n) values; n may be 0."""
    part = values.astype(np.float64)
    if not part.size:
        return Part(0, np.zeros(len(part)), np.zeros(len(part)))
    mean = part.mean(axis=1)
    return Part(part.shape[1], mean, ((part - mean[:, None]) ** 2).sum(axis=1))


class Moments:
    """Mean and variance of several variables in float64, part by part.

    Merged as in Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979: no sum of squares loses the digits of a large mean.

    Args:
        variables: How many.
    """

    def __init__(self, variables: int) -> None:
        self.mean = np.zeros(variables)
        self._squares = np.zeros(variables)
        self._count = 0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Take (variables, n) more values; n may be 0."""
        self.merge(part_of(values))

    def merge(self, part: Part) -> None:
        """Take more values in; the order of parts decides the last digits."""
        if not part.count:
            return
        total = self._count + part.count
        delta = part.mean - self.mean
        self.mean = self.mean + delta * (part.count / total)
        between = delta**2 * (self._count * part.count / total)
        self._squares = self._squares + part.squares + between
        self._count = total

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """Population standard deviation (divisor n); 0 where it is no more than rounding."""
        std = np.sqrt(self._squares / max(self._count, 1))
        return np.where(std > 1e-12 * np.abs(self.mean), std, 0.0)
