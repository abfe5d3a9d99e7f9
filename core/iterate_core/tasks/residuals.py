"""Scores of a quantity, from the errors of its predictions. Imports no torch.

Each function takes (..., 3 × quantities) sums: of squared errors, of absolute errors, and how many
are known. Of several quantities it gives the mean over those that are known at all, each with the
same weight: ``multioutput="uniform_average"`` of scikit-learn.
"""

from __future__ import annotations

import math

import numpy as np

from iterate_core.tasks.metrics import Sums, Values, share


def rmse(sums: Sums) -> Values:
    """The root of the mean squared error."""
    squared, _, count = _of_each(sums)
    return mean_known(np.sqrt(share(squared, count, math.nan)))


def mae(sums: Sums) -> Values:
    """The mean absolute error."""
    _, absolute, count = _of_each(sums)
    return mean_known(share(absolute, count, math.nan))


def mean_known(values: Values) -> Values:
    """The mean over the last axis of what is not NaN; NaN where all are."""
    known = ~np.isnan(values)
    return share(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1), math.nan)


def _of_each(sums: Sums) -> Sums:
    """(3, ..., quantities)."""
    return np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 3), -1, 0)
