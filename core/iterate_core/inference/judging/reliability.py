"""How far a model's confidence can be trusted: gathered batch by batch, whatever the split's size.

The expected calibration error is torchmetrics' (``CalibrationError`` with 15 bins and the L1 norm):
predictions fall into bins of equal width by their confidence; in each, the mean confidence is
compared with the share that is right; the differences are averaged, weighed by how many fall in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

BINS = 15
_FEW = 500


@dataclass(frozen=True)
class Reliability:
    """What was found of confidence.

    Attributes:
        counts: (BINS,), how many predictions each bin holds.
        confidence: (BINS,), their mean confidence; NaN of an empty bin.
        right: (BINS,), the share of them that is right; likewise.
        error: The expected calibration error.
    """

    counts: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    error: float

    @property
    def few(self) -> bool:
        """Whether so few were counted that chance alone makes an error."""
        return int(self.counts.sum()) < _FEW

    @property
    def surplus(self) -> float:
        """Mean confidence less the share that is right: positive where it is too sure of itself."""
        held = self.counts > 0
        apart = (self.confidence[held] - self.right[held]) * self.counts[held]
        return float(apart.sum() / self.counts.sum())


class ReliabilityCounts:
    """Counts predictions by their confidence."""

    def __init__(self) -> None:
        # As in torchmetrics, a confidence of exactly 1 lies in a bin of its own.
        self._sums = torch.zeros(3, BINS + 1, dtype=torch.float64)
        self._edges = torch.linspace(0, 1, BINS + 1)

    def take(self, confidence: Tensor, right: Tensor) -> None:
        """Count some predictions.

        Args:
            confidence: (n,) in [0, 1].
            right: (n,), whether each came true.
        """
        given = confidence.float().cpu()
        places = (torch.bucketize(given, self._edges, right=True) - 1).clamp(0, BINS)
        for row, weights in enumerate((torch.ones_like(given), given, right.cpu())):
            counted = torch.bincount(places, weights.double(), minlength=BINS + 1)
            self._sums[row] += counted

    def found(self) -> Reliability | None:
        """What all of them come to; None where there was none."""
        counts, confidence, right = self._sums.numpy()
        if not counts.sum():
            return None
        error = float(np.abs(confidence - right).sum() / counts.sum())
        counts, confidence, right = (_merged(each) for each in (counts, confidence, right))
        with np.errstate(invalid="ignore"):
            means = confidence / counts, right / counts
        return Reliability(counts.astype(np.int64), *means, error)


def _merged(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The bin of exactly 1 put to the last."""
    return np.append(sums[: BINS - 1], sums[BINS - 1 :].sum())
