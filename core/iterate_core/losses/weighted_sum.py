"""One loss, and a multiple of another."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from iterate_core.losses.base import Loss, loss_of, mean_of
from iterate_core.losses.options import SumOptions
from iterate_core.losses.training import TrainingTargets


class WeightedSum(Loss):
    """The first loss's mean over a batch, and `weight` times the second's; of a whole batch."""

    def __init__(self, options: SumOptions, training: TrainingTargets) -> None:
        super().__init__()
        self.first = loss_of(options.first, training)
        self.second = loss_of(options.second, training)
        self.weight = options.weight

    def forward(self, outputs: Tensor, targets: Any) -> tuple[Tensor, Tensor]:
        """See `Loss.forward`."""
        assert self.first is not None  # noqa: S101 - a sum serves no task without a default
        assert self.second is not None  # noqa: S101
        first, second = self.first(outputs, targets), self.second(outputs, targets)
        counted = (first[1] > 0) | (second[1] > 0)
        return mean_of(*first) + self.weight * mean_of(*second), counted.long()
