"""What a metric is: declared once, with its function of sums over samples. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Mode = Literal["max", "min"]

Sums = npt.NDArray[Any]
"""(..., terms): what each of some samples adds to a score, summed over them."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One number that a task reports after each epoch.

    Attributes:
        name: As in ``val/<name>``.
        mode: Which direction is better.
        meaning: Its exact definition.
        of_sums: From (..., terms) sums over samples, as the task's
            `iterate_core.tasks.scores.Scores` tells them, to (...) values, NaN where nothing
            counts. An epoch, a test and the draws of a bootstrap over samples are all scored by
            it. None where the metric is no function of sums: `Scores.others` gives its value, and
            it has no interval over samples.
        highest: The largest value it can take.
        lowest: The smallest.
        trained: Whether it is measured on training batches too.
    """

    name: str
    mode: Mode
    meaning: str
    of_sums: Callable[[Sums], Values] | None = None
    highest: float = 1.0
    lowest: float = 0.0
    trained: bool = True


def as_json(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics as JSON can say them: None where a value is not defined, or has no end."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def share(part: npt.NDArray[Any], whole: npt.NDArray[Any], nothing: float = 0.0) -> Values:
    """``part / whole``, and `nothing` where `whole` is 0."""
    out = np.full(np.shape(part), nothing)
    return np.asarray(np.divide(part, whole, out=out, where=np.asarray(whole) != 0))
