"""A loss, an optimiser, a learning-rate schedule, and an augmentation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from counting import Deviance, Dusk, Signs, Stairs
from iterate_core.data.augmentation.base import Touch
from iterate_core.data.augmentation.draws import Uniform
from iterate_core.losses.base import Loss
from iterate_core.losses.training import TrainingTargets
from iterate_core.objective import Objective
from iterate_core.optimisation.schedules import ClosedForm


class DevianceLoss(Loss):
    """Twice what the likelihood lacks of the best; of the logarithms of counts."""

    def __init__(self, options: Deviance, training: TrainingTargets) -> None:
        super().__init__()
        del training
        self.weight = options.weight

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        predicted = outputs[:, 0]
        lacking = torch.xlogy(targets, targets) - targets * predicted - targets + predicted.exp()
        return 2 * self.weight * lacking.sum(), torch.tensor(len(targets))


def build_signs(options: Signs, groups: list[dict[str, Any]], fused: bool) -> Optimizer:
    # Without memory, Adam divides each gradient by its size.
    return Adam(groups, lr=options.lr, betas=(0.0, 0.0), eps=1e-16, fused=fused)


def build_stairs(
    options: Stairs, objective: Objective, steps_per_epoch: int, epochs: int
) -> ClosedForm:
    del objective, epochs
    return ClosedForm(lambda step: options.factor ** (step // steps_per_epoch))


class Dim(Touch):
    """Every band at a part of its values."""

    def __init__(self, options: Dusk) -> None:
        self._factor = options.factor

    def numbers(self, bands: int) -> int:
        del bands
        return 0

    def touched(self, images: Tensor, drawn: Uniform) -> Tensor:
        del drawn
        return images * self._factor
