"""Losses of the overlap of what is predicted and what is there, each of a whole batch.

They are no sums over pixels: the overlap of a batch is not the mean of its pixels' overlaps. So
each batch has the weight 1 (see `iterate_core.losses.base.Loss.forward`).
"""

from __future__ import annotations

from typing import Any

from segmentation_models_pytorch import losses as smp
from torch import Tensor

from iterate_core.losses.base import Loss
from iterate_core.losses.indicators import Indicators
from iterate_core.losses.options import (
    DiceOptions,
    JaccardOptions,
    LovaszOptions,
    TverskyOptions,
)
from iterate_core.losses.training import TrainingTargets

# Probabilities of each class beside indicators of 0 and 1, whether classes exclude each other or
# not: what does not count is 0 in both.
_AS_GIVEN: dict[str, Any] = {"mode": smp.MULTILABEL_MODE, "from_logits": False}
_LEAST = 1e-7  # below it a power takes no gradient: that of a root has no bound at 0


class Overlap(Loss):
    """The mean over classes of one of segmentation-models-pytorch's losses, of one batch.

    A class that is not there in a batch adds 0 to the mean, as there.

    Args:
        criterion: Takes (rows, classes, 1) probabilities, and indicators of 0 and 1.
        training: Of these targets.
    """

    def __init__(self, criterion: Any, training: TrainingTargets) -> None:
        super().__init__()
        self.criterion = criterion
        self.indicators = Indicators(training)

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss.forward`."""
        logits, truth, counted = self.indicators.of(outputs, targets)
        shares = logits.softmax(dim=1) if self.indicators.exclusive else logits.sigmoid()
        shares = shares * counted[:, None]
        weight = counted.any().long()
        return self.criterion(shares[..., None], truth[..., None]) * weight, weight


class Dice(Overlap):
    """`segmentation_models_pytorch.losses.DiceLoss`; see `Overlap`."""

    def __init__(self, options: DiceOptions, training: TrainingTargets) -> None:
        super().__init__(smp.DiceLoss(**_AS_GIVEN, smooth=options.smooth), training)


class Jaccard(Overlap):
    """`segmentation_models_pytorch.losses.JaccardLoss`; see `Overlap`."""

    def __init__(self, options: JaccardOptions, training: TrainingTargets) -> None:
        super().__init__(smp.JaccardLoss(**_AS_GIVEN, smooth=options.smooth), training)


class Tversky(Overlap):
    """`segmentation_models_pytorch.losses.TverskyLoss`; see `Overlap`.

    The power is taken here: the library's has no finite gradient at 0, where nothing counts.
    """

    def __init__(self, options: TverskyOptions, training: TrainingTargets) -> None:
        criterion = smp.TverskyLoss(
            **_AS_GIVEN, smooth=options.smooth, alpha=options.alpha, beta=options.beta
        )
        super().__init__(criterion, training)
        self.gamma = options.gamma

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss.forward`."""
        loss, weight = super().forward(outputs, targets)
        return loss.clamp(min=_LEAST) ** self.gamma * weight, weight


class Lovasz(Loss):
    """`segmentation_models_pytorch.losses.LovaszLoss` of one batch.

    Of classes that exclude each other, Lovász-softmax over those that are there; of labels, the
    Lovász hinge of all (sample, label) pairs.
    """

    def __init__(self, options: LovaszOptions, training: TrainingTargets) -> None:
        super().__init__()
        exclusive = training.exclusive
        self.ignore_index = training.ignore_index if exclusive else None
        mode = smp.MULTICLASS_MODE if exclusive else smp.MULTILABEL_MODE
        self.criterion = smp.LovaszLoss(mode, options.per_image, self.ignore_index)

    def forward(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss.forward`. Images of which nothing counts are left out: the library fails."""
        if self.ignore_index is not None:
            counted = targets != self.ignore_index
            some = counted.reshape(len(counted), -1).any(dim=1)
            outputs, targets = outputs[some], targets[some]
        if not len(targets):
            return outputs.sum(), targets.new_zeros(())
        return self.criterion(outputs, targets), targets.new_ones(())
