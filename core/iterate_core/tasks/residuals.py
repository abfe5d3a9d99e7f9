"""Scores of a quantity, from the errors of its predictions. Imports no torch.

Each function takes (..., 3) sums: of squared errors, of absolute errors, and of known pixels.
"""

from __future__ import annotations

import math

import numpy as np

from iterate_core.tasks.metrics import Sums, Values, share


def rmse(sums: Sums) -> Values:
    """The root of the mean squared error."""
    return np.sqrt(share(sums[..., 0], sums[..., 2], math.nan))


def mae(sums: Sums) -> Values:
    """The mean absolute error."""
    return share(sums[..., 1], sums[..., 2], math.nan)
