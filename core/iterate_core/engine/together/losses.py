"""The losses of several heads on a batch each, at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from iterate_core.losses.base import Loss
from iterate_core.models.stacked import Unlike


class StackedLosses:
    """One loss in the place of several that are the same.

    What cannot be computed at once, such as a loss that branches on its numbers, is worked out
    head by head.

    Args:
        losses: One a head, of equal options.

    Raises:
        Unlike: They have parameters, or know something else of their training splits.
    """

    def __init__(self, losses: Sequence[Loss]) -> None:
        self._loss = losses[0]
        if any(True for loss in losses for _ in loss.parameters()):
            raise Unlike("their losses have parameters")
        if not all(_same(self._loss, loss) for loss in losses[1:]):
            raise Unlike("their losses know of different training splits")
        self._at_once = True

    def __call__(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (m, n, …) and targets (m, n, …) → m sums and m weights; see `Loss.forward`."""
        if self._at_once:
            try:
                return self._loss.of_several(outputs, targets)
            except RuntimeError:
                self._at_once = False
        pairs = [self._loss(*each) for each in zip(outputs, targets, strict=True)]
        totals, weights = zip(*pairs, strict=True)
        return torch.stack(totals), torch.stack(weights)


def _same(one: Loss, other: Loss) -> bool:
    """Whether two losses know the same."""
    mine, theirs = dict(one.named_buffers()), dict(other.named_buffers())
    return mine.keys() == theirs.keys() and all(
        mine[name].shape == theirs[name].shape and torch.equal(mine[name], theirs[name])
        for name in mine
    )
