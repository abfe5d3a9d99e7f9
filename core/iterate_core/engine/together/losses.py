"""The losses of several heads on a batch each, at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from iterate_core.losses.base import Loss
from iterate_core.models.stacked import Unlike

Pair = tuple[Tensor, Tensor]


class StackedLosses:
    """Several losses that are alike but for what they know of their training splits.

    What `torch.func.vmap` does not take, such as a loss that branches on its numbers, is worked
    out head by head.

    Args:
        losses: One a head.

    Raises:
        Unlike: They have parameters.
    """

    def __init__(self, losses: Sequence[Loss]) -> None:
        self._losses = list(losses)
        parameters, self._known = stack_module_state(self._losses)
        if parameters:
            raise Unlike("their losses have parameters")
        self._at_once: Any = vmap(self._of_one)
        self._taken = True

    def __call__(self, outputs: Tensor, targets: Tensor) -> Pair:
        """Outputs (m, n, …) and targets (m, n, …) → m sums and m weights; see `Loss.forward`."""
        if self._taken:
            try:
                pair: Pair = self._at_once(self._known, outputs, targets)
            except RuntimeError:
                self._taken = False
            else:
                return pair
        pairs = [loss(*each) for loss, *each in zip(self._losses, outputs, targets, strict=True)]
        totals, weights = zip(*pairs, strict=True)
        return torch.stack(totals), torch.stack(weights)

    def _of_one(self, known: dict[str, Tensor], outputs: Tensor, targets: Tensor) -> Pair:
        pair: Pair = functional_call(self._losses[0], known, (outputs, targets))
        return pair
