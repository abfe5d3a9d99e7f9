"""Losses of a quantity's error, in units of the training targets' deviation."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.losses.base import Loss
from iterate_core.losses.options import HuberOptions, LossOptions
from iterate_core.losses.training import TrainingTargets


class OfErrors(Loss):
    """A sum over the values that are known; those that are NaN do not count.

    The deviation is of each quantity by itself, so no unit changes a loss, and a model that always
    predicts the training mean has a mean squared error near 1.
    """

    scale: Tensor

    def __init__(self, options: LossOptions, training: TrainingTargets) -> None:
        super().__init__()
        del options
        scale = torch.tensor(training.deviations, dtype=torch.float32)
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss.forward`."""
        targets = targets.reshape(outputs.shape)
        known = ~targets.isnan()
        scale = self.scale.reshape(-1, *[1] * (outputs.ndim - 2))
        errors = torch.where(known, outputs - targets, 0.0) / scale
        return self.summed(errors), known.sum()

    @abstractmethod
    def summed(self, errors: Tensor) -> Tensor:
        """Of errors in units of the deviation, 0 where the target is not known."""


class Squared(OfErrors):
    """Σ e²."""

    def summed(self, errors: Tensor) -> Tensor:
        """See `OfErrors.summed`."""
        return errors.square().sum()


class Absolute(OfErrors):
    """Σ abs(e)."""

    def summed(self, errors: Tensor) -> Tensor:
        """See `OfErrors.summed`."""
        return errors.abs().sum()


class Huber(OfErrors):
    """`torch.nn.functional.huber_loss`: Σ e² / 2, or delta (abs(e) − delta / 2) beyond delta."""

    def __init__(self, options: HuberOptions, training: TrainingTargets) -> None:
        super().__init__(options, training)
        self.delta = options.delta

    def summed(self, errors: Tensor) -> Tensor:
        """See `OfErrors.summed`."""
        nothing = torch.zeros_like(errors)
        return functional.huber_loss(errors, nothing, reduction="sum", delta=self.delta)
