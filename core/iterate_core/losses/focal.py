"""Focal loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from iterate_core.losses.base import Loss
from iterate_core.losses.indicators import Indicators
from iterate_core.losses.options import FocalOptions
from iterate_core.losses.training import TrainingTargets
from iterate_core.losses.weights import class_weights, of_targets


class Focal(Loss):
    """`torchvision.ops.sigmoid_focal_loss` of each class, its mean over all pairs.

    A pair is one of a class and a sample, or a pixel that counts. Classes that exclude each other
    are told from the rest one by one, as in segmentation-models-pytorch.
    """

    weights: Tensor | None

    def __init__(self, options: FocalOptions, training: TrainingTargets) -> None:
        super().__init__()
        self.gamma = options.gamma
        self.alpha = -1.0 if options.alpha is None else options.alpha
        self.indicators = Indicators(training)
        self.register_buffer("weights", class_weights(options, training), persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss.forward`."""
        logits, truth, counted = self.indicators.of(outputs, targets)
        each = sigmoid_focal_loss(logits, truth, self.alpha, self.gamma, reduction="none")
        if self.indicators.exclusive:
            weights = of_targets(self.weights, targets.flatten(), counted)
            return (each * weights[:, None]).sum(), weights.sum() * logits.shape[1]
        if self.weights is not None:
            each = each * torch.where(truth > 0, self.weights, 1)
        return each.sum(), counted.sum() * logits.shape[1]
