"""Rows or columns beyond an edge: those on this side of it, mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Stretch:
    """A run of rows or columns, parts of which may lie beyond an edge.

    Attributes:
        start: The first that is read.
        stop: One after the last that is read.
        taken: Of each of the run, which of those that are read stands there.
        inside: Of each of the run, whether it lies within the edges.
    """

    start: int
    stop: int
    taken: npt.NDArray[np.int64]
    inside: npt.NDArray[np.bool_]


def stretch(first: int, count: int, size: int) -> Stretch:
    """`count` rows or columns from `first` on, of an image that has `size` of them.

    What lies on an edge is not repeated, as in NumPy's padding of the mode ``reflect``; beyond the
    mirrored image lies its mirror image, and so on. Of a single row all are that one.
    """
    places = np.arange(first, first + count)
    period = max(2 * (size - 1), 1)
    folded = places % period
    folded = np.minimum(folded, period - folded) if size > 1 else np.zeros_like(places)
    start, stop = int(folded.min()), int(folded.max()) + 1
    return Stretch(start, stop, folded - start, (places >= 0) & (places < size))
