"""Mean and deviation of more numbers than are held at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


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
        part = values.astype(np.float64)
        count = part.shape[1]
        if not count:
            return
        mean = part.mean(axis=1)
        squares = ((part - mean[:, None]) ** 2).sum(axis=1)
        total = self._count + count
        delta = mean - self.mean
        self.mean = self.mean + delta * (count / total)
        self._squares = self._squares + squares + delta**2 * (self._count * count / total)
        self._count = total

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """Population standard deviation (divisor n); 0 where it is no more than rounding."""
        std = np.sqrt(self._squares / max(self._count, 1))
        return np.where(std > 1e-12 * np.abs(self.mean), std, 0.0)
