"""Memory for what is computed at every step and soon forgotten."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Scratch:
    """Memory that is written again and again.

    Large tensors that are made anew each time come from the operating system, page by page, which
    takes longer than to fill them. Only what is no longer needed may be overwritten: autograd
    refuses to go back through what has been.
    """

    def __init__(self) -> None:
        self._held = torch.empty(0)

    def like(self, shape: Sequence[int], other: Tensor) -> Tensor:
        """A tensor of a shape, of another's kind and device; it holds anything."""
        count, held = math.prod(shape), self._held
        if held.numel() < count or held.dtype != other.dtype or held.device != other.device:
            self._held = other.new_empty(count)
        return self._held[:count].view(shape)
