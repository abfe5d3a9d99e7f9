"""Batches whose samples are mixed with each other, and what they are then labelled with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor


class Mixed(NamedTuple):
    """The targets of a batch in which each sample is part one and part another.

    Attributes:
        one: As a batch has them.
        other: Likewise, of what each was mixed with.
        share: Of the first, from 0 to 1.
    """

    one: Any
    other: Any
    share: float

    @property
    def larger(self) -> Any:
        """Those of the larger share."""
        return self.one if self.share >= 0.5 else self.other


@dataclass(frozen=True)
class Mixing:
    """How a batch is mixed: each sample with the one before it, whose order is random.

    Attributes:
        share: Of the sample itself, from 0 to 1.
        box: (top, bottom, left, right) of what the other one replaces, in pixels; None blends the
            two, pixel by pixel.
    """

    share: float
    box: tuple[int, int, int, int] | None = None

    def images(self, images: Tensor) -> Tensor:
        """Images (n, …, height, width), mixed."""
        if self.box is not None:
            return self.pasted(images)
        return self.share * images + (1 - self.share) * self.others(images)

    def pasted(self, grids: Tensor) -> Tensor:
        """Images, masks or maps (n, …, height, width), in which the box is another one's."""
        assert self.box is not None  # noqa: S101 - asked of what has one
        top, bottom, left, right = self.box
        result = grids.clone()
        result[..., top:bottom, left:right] = self.others(grids)[..., top:bottom, left:right]
        return result

    def others(self, each: Tensor) -> Tensor:
        """(n, …) what the samples of a batch are mixed with."""
        return each.roll(1, 0)

    def labels(self, targets: Tensor) -> Mixed:
        """What belongs to images as a whole: both, each by its share."""
        return Mixed(targets, self.others(targets), self.share)
