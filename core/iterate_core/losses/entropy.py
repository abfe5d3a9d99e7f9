"""Cross-entropies."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.losses.base import Loss, rows
from iterate_core.losses.options import BinaryCrossEntropyOptions, CrossEntropyOptions
from iterate_core.losses.training import TrainingTargets
from iterate_core.losses.weights import class_weights, of_targets


class CrossEntropy(Loss):
    """Of classes that exclude each other: `torch.nn.functional.cross_entropy`.

    With class weights its mean is that of PyTorch: over the weights of the targets.
    """

    weights: Tensor | None

    def __init__(self, options: CrossEntropyOptions, training: TrainingTargets) -> None:
        super().__init__()
        self.smoothing = options.label_smoothing
        self.ignore_index = training.ignore_index
        self.register_buffer("weights", class_weights(options, training), persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss.forward`.

        Pixels are laid out as rows first: the two-dimensional loss has no deterministic form on
        CUDA, this has.
        """
        flat = targets.flatten()
        total = functional.cross_entropy(
            rows(outputs),
            flat,
            weight=self.weights,
            ignore_index=self.ignore_index,
            reduction="sum",
            label_smoothing=self.smoothing,
        )
        counted = flat != self.ignore_index
        if self.weights is None:
            return total, counted.sum()
        return total, of_targets(self.weights, flat, counted).sum()

    def of_several(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss.of_several`."""
        flat = targets.flatten()
        losses = functional.cross_entropy(
            rows(outputs.flatten(0, 1)),
            flat,
            weight=self.weights,
            ignore_index=self.ignore_index,
            reduction="none",
            label_smoothing=self.smoothing,
        )
        weights = counted = flat != self.ignore_index
        if self.weights is not None:
            weights = of_targets(self.weights, flat, counted)
        return losses.view(len(outputs), -1).sum(1), weights.view(len(outputs), -1).sum(1)


class BinaryCrossEntropy(Loss):
    """Of labels: `torch.nn.functional.binary_cross_entropy_with_logits`, over all pairs.

    A pair is one of a sample and a label. Class weights are its ``pos_weight``.
    """

    weights: Tensor | None

    def __init__(self, options: BinaryCrossEntropyOptions, training: TrainingTargets) -> None:
        super().__init__()
        self.smoothing = options.label_smoothing
        self.register_buffer("weights", class_weights(options, training), persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss.forward`."""
        wanted = targets.float() * (1 - self.smoothing) + self.smoothing / 2
        total = functional.binary_cross_entropy_with_logits(
            outputs, wanted, pos_weight=self.weights, reduction="sum"
        )
        return total, torch.full((), targets.numel(), device=targets.device)
