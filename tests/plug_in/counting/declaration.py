"""What the task measures."""

from __future__ import annotations

import math

import numpy as np

from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.metrics import Metric

COUNTING = TaskDeclaration(
    "counting",
    (
        Metric(
            *("count_error", "min", "mean of |predicted count − count|"),
            lambda sums: np.asarray(sums[..., 0] / sums[..., 1]),
            highest=math.inf,
        ),
        Metric("loss", "min", "Poisson's deviance, averaged over images", highest=math.inf),
    ),
    loss="deviance",
)
