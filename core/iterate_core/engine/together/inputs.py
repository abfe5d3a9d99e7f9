"""What several heads take of the kept features at a step."""

from __future__ import annotations

from torch import Tensor, nn

from iterate_core.models.scratch import Scratch
from iterate_core.models.stacked import StackedBatchNorm, StackedSequential


class Inputs:
    """Rows of features, as what trains of several heads takes them.

    Nothing of a first layer that only standardises is learnt, so it is worked out in place, as the
    rows are gathered, outside of what gradients go back through.

    Args:
        features: (samples, width).
        head: What `iterate_core.models.stacked.stacked` made.

    Attributes:
        rest: The head's layers that take what `of` gives.
    """

    def __init__(self, features: Tensor, head: nn.Module) -> None:
        self._features, self._scratch = features, Scratch()
        self._first = _standardising(head) if features.device.type == "cpu" else None
        self.rest = head if self._first is None else nn.Sequential(*list(head.children())[1:])

    def of(self, rows: Tensor) -> Tensor:
        """(heads, n, width) of the rows (heads, n) that each takes; the next call overwrites it."""
        shape = (*rows.shape, self._features.shape[1])
        if self._first is None:
            across = rows.T  # as batch normalisation likes them in memory
            taken = self._features.index_select(0, across.flatten())
            return taken.view(*across.shape, -1).transpose(0, 1)
        into = self._scratch.like(shape, self._features)
        self._first.standardise(self._features, rows, into)
        return into


def _standardising(head: nn.Module) -> StackedBatchNorm | None:
    """A head's first layer, if all it does is to standardise."""
    layers = list(head.children()) if isinstance(head, StackedSequential) else []
    if layers and isinstance(layers[0], StackedBatchNorm) and not layers[0].learns:
        return layers[0]
    return None
