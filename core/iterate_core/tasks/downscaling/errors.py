"""Scores of maps on a finer grid, and of the baseline beside them. Imports no torch.

Each function of sums takes (..., 11 × quantities) of them, `TERMS` of each quantity, and gives the
mean over the quantities that are known at all, each with the same weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iterate_core.tasks.metrics import Sums, Values, share
from iterate_core.tasks.residuals import mean_known

TERMS = (
    *("squared", "absolute", "similar"),  # of the predictions: Σ e², Σ |e|, Σ SSIM of windows
    *("base_squared", "base_absolute", "base_similar"),  # the same of the baseline
    *("known", "windows", "peak"),  # how many cells are known, how many windows; Σ range²
    *("offset", "offset_squared"),  # of known targets less the training targets' mean
)
LEAST_SHARE = 1e-20
"""Of the mean squared error in the squared range: what is exact has 200 dB, not infinitely many."""

_ROUNDING = 1e-12  # share of a sum of squares below which a spread is none

Score = Callable[["Errors"], Values]
Of = Callable[[Sums], Values]


@dataclass(frozen=True)
class Errors:
    """(..., quantities) sums of the errors of some maps; see `TERMS`."""

    squared: Sums
    absolute: Sums
    similar: Sums
    known: Sums
    windows: Sums
    peak: Sums
    offset: Sums
    offset_squared: Sums

    @classmethod
    def of(cls, sums: Sums, before: str = "") -> Errors:
        """From (..., 11 × quantities) sums: of the predictions, or ``base_`` of the baseline."""
        each = np.moveaxis(sums.reshape(*sums.shape[:-1], -1, len(TERMS)), -1, 0)
        terms = dict(zip(TERMS, each, strict=True))
        errors = {name: terms[f"{before}{name}"] for name in ("squared", "absolute", "similar")}
        return cls(**errors, **{name: terms[name] for name in TERMS[6:]})

    def rmse(self) -> Values:
        """The root of the mean squared error."""
        return np.asarray(np.sqrt(share(self.squared, self.known, math.nan)))

    def mae(self) -> Values:
        """The mean absolute error."""
        return share(self.absolute, self.known, math.nan)

    def psnr(self) -> Values:
        """The peak signal to noise ratio in decibel; at most that of `LEAST_SHARE`."""
        of_range = share(self.squared, self.peak, math.nan)
        return np.asarray(-10 * np.log10(np.maximum(of_range, LEAST_SHARE)))

    def ssim(self) -> Values:
        """The mean structural similarity of the windows all of whose cells are known."""
        return share(self.similar, self.windows, math.nan)

    def r2(self) -> Values:
        """The coefficient of determination; of equal targets 1 if all are met and 0 if not."""
        spread = self.offset_squared - share(self.offset**2, self.known)
        varied = spread > _ROUNDING * self.offset_squared
        of_equal = np.where(self.squared == 0, 1.0, 0.0)
        found = np.where(varied, 1 - share(self.squared, np.where(varied, spread, 0)), of_equal)
        return np.where(self.known > 0, found, math.nan)


def of_predictions(score: Score) -> Of:
    """A score of what is predicted."""
    return lambda sums: mean_known(score(Errors.of(sums)))


def of_baseline(score: Score) -> Of:
    """The same score of the baseline, on the same cells."""
    return lambda sums: mean_known(score(Errors.of(sums, "base_")))


def skill(sums: Sums) -> Values:
    """The share of the baseline's mean squared error that the predictions take away."""
    squared, base = Errors.of(sums).squared, Errors.of(sums, "base_").squared
    return mean_known(1 - share(squared, base, math.nan))
