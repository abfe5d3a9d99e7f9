"""A backbone that is frozen at first."""

from __future__ import annotations

from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.full import Full
from iterate_core.models.tuning.options import GradualOptions


class Gradual(Full):
    """The decoder trains alone at first, then all of the model at a lower rate.

    Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", 2022: a decoder that knows nothing yet drags the backbone along.
    """

    def __init__(self, options: GradualOptions) -> None:
        super().__init__(options)
        self._share = options.share
        self._rate = options.rate
        self._thawed = True

    def frozen_epochs(self, epochs: int) -> int:
        """How many of the epochs: the share, rounded, but one at least and not the last."""
        return min(epochs - 1, max(1, round(self._share * epochs)))

    def begin_epoch(self, backbone: Backbone, epoch: int, epochs: int) -> None:
        """See `Tuning.begin_epoch`."""
        self._thawed = epoch > self.frozen_epochs(epochs)
        for name, value in backbone.named_parameters():
            value.requires_grad_(self._thawed and name not in backbone.fixed)

    def pace(self, epoch: int, epochs: int) -> float:
        """See `Tuning.pace`."""
        return self._rate if epoch > self.frozen_epochs(epochs) else 1.0

    def train(self, backbone: Backbone, mode: bool) -> None:
        """See `Tuning.train`."""
        super().train(backbone, mode and self._thawed)

    def backward_cost(self, backbone: Backbone) -> float:
        """See `Tuning.backward_cost`: the mean over the epochs."""
        return (1.0 - self._share) * super().backward_cost(backbone)
