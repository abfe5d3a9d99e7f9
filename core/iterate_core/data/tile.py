"""A square that images of any size are cropped or padded to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tile:
    """A square that an image is laid on, centre upon centre.

    What lies outside is cropped; where the image does not reach, its outermost pixels are repeated
    and no target is known. Where sides differ by an odd number, the image lies half a pixel up and
    to the left.

    Attributes:
        size: Its side in pixels.
        image: (height, width) of the image.
    """

    size: int
    image: tuple[int, int]

    @property
    def corner(self) -> tuple[int, int]:
        """Where the image's upper left corner lies on the tile: down and right in pixels."""
        height, width = self.image
        return (self.size - height) // 2, (self.size - width) // 2

    def lay(self, values: Array, blank: float | None = None, finer: int = 1) -> Array:
        """(…, size · finer, size · finer) of (…, height · finer, width · finer).

        Args:
            values: Of the image's pixels, or of the cells of a finer grid on it.
            blank: What stands where the image does not reach; None repeats its outermost pixels.
            finer: Cells along the side of a pixel. They stay upon their pixels.
        """
        padding = [(0, 0)] * values.ndim
        for axis, length, start in zip((-2, -1), self.image, self.corner, strict=True):
            kept, skipped, before = min(length, self.size), max(0, -start), max(0, start)
            cells = range(skipped * finer, (skipped + kept) * finer)
            values = values.take(cells, axis=axis)
            padding[axis] = (before * finer, (self.size - kept - before) * finer)
        if blank is None:
            return np.pad(values, padding, mode="edge")
        kind = np.result_type(values, np.min_scalar_type(blank))
        return np.pad(values.astype(kind), padding, constant_values=blank)
