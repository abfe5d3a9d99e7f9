"""The eight flips and rotations of a square, which keep the meaning of a nadir image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True)
class Element:
    """One of the eight: `turns` quarter turns, then a flip along the width if `flip`."""

    turns: int
    flip: bool

    def apply(self, images: Tensor) -> Tensor:
        """Images or masks (…, height, width), changed."""
        turned = torch.rot90(images, self.turns, (-2, -1)) if self.turns else images
        return turned.flip(-1) if self.flip else turned

    def move(self, points: Tensor, size: tuple[int, int]) -> Tensor:
        """Points (…, 2) of images, changed as these are.

        Args:
            points: x from the left edge and y from the upper one, in pixels.
            size: (height, width) of the images before.
        """
        x, y = points.unbind(-1)
        height, width = size
        for _ in range(self.turns):
            x, y, height, width = y, width - x, width, height
        return torch.stack((width - x if self.flip else x, y), dim=-1)


IDENTITY = Element(0, flip=False)


def elements(*, flip: bool, rotate: bool, square: bool) -> tuple[Element, ...]:
    """The elements that horizontal and vertical flips and rotations generate.

    Drawing one of them uniformly is the same as flipping each way with probability one half and
    turning by a random number of quarter turns. Images that are not square turn by half turns
    only, since a batch has one shape.
    """
    turns = {0}
    if rotate:
        turns |= {0, 1, 2, 3} if square else {0, 2}
    if not flip:
        return tuple(Element(turn, flip=False) for turn in sorted(turns))
    both = sorted(turns | {(turn + 2) % 4 for turn in turns})
    return tuple(Element(turn, flip=mirrored) for mirrored in (False, True) for turn in both)


def apply_each(images: Tensor, chosen: npt.NDArray[np.int64], group: tuple[Element, ...]) -> Tensor:
    """Change each sample by its own element, all samples of one element at once.

    Args:
        images: (n, …, height, width); height equals width if any element turns by a quarter.
        chosen: (n,) indices into `group`.
        group: The elements.
    """
    result = torch.empty_like(images)
    for index in np.unique(chosen):
        rows = torch.from_numpy(np.flatnonzero(chosen == index)).to(images.device)
        result[rows] = group[index].apply(images[rows])
    return result
