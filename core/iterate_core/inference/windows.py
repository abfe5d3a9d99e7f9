"""The windows by which a scene is predicted, and how they are blended. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from iterate_core.errors import Problem, RequestError

SHARE = 4
"""Windows overlap by a fourth of their side, unless told otherwise."""


@dataclass(frozen=True)
class Axis:
    """Windows of one size at one distance, along one side of a scene.

    The first begins where the scene does, and the last covers its end, beyond which it may reach.

    Attributes:
        length: Of the scene in pixels.
        size: Of a window.
        step: From one window to the next; at most `size`.
    """

    length: int
    size: int
    step: int

    @property
    def count(self) -> int:
        """How many windows there are."""
        return 1 + max(0, -(-(self.length - self.size) // self.step))

    @property
    def overlap(self) -> int:
        """Pixels that two neighbours share."""
        return self.size - self.step

    def start(self, index: int) -> int:
        """The first pixel of a window."""
        return index * self.step

    def settled(self, index: int) -> tuple[int, int]:
        """The pixels [begin, end) of which a window is the last one to tell."""
        last = index == self.count - 1
        return self.start(index), self.length if last else self.start(index + 1)

    def weights(self, index: int, finer: int = 1) -> npt.NDArray[np.float32]:
        """(size · finer,): what a window counts for, cell by cell along this side.

        The sum over all windows is 1 at each cell of the scene. Of an overlap the outer fourth is
        dropped on each side, where a model knows least of what surrounds a pixel; between, one
        window's weight falls as the other's rises, by a raised cosine. At the scene's own ends
        weights are flat.
        """
        size, step = self.size * finer, self.step * finer
        rise = _rise(size - step, step)
        weights = np.ones(size)
        if index > 0:
            weights[: len(rise)] = rise
        if index < self.count - 1:
            weights[step:] *= 1 - rise
        return weights.astype(np.float32)


def _rise(overlap: int, step: int) -> npt.NDArray[np.float64]:
    """(overlap,) weights of the later of two neighbours, from 0 to 1.

    No third window may count where two are blended, so what is blended is at most a step wide.
    """
    dropped = max(overlap // 4, -(-(overlap - step) // 2))
    blended = overlap - 2 * dropped
    phase = (np.arange(blended) + 0.5) / max(blended, 1)
    ramp = 0.5 - 0.5 * np.cos(np.pi * phase)
    return np.concatenate((np.zeros(dropped), ramp, np.ones(dropped)))


@dataclass(frozen=True)
class Grid:
    """All windows of a scene.

    Attributes:
        rows: Along its height.
        columns: Along its width.
    """

    rows: Axis
    columns: Axis

    @property
    def count(self) -> int:
        """How many windows there are."""
        return self.rows.count * self.columns.count

    def part(self, row: int, column: int) -> tuple[int, int, int, int]:
        """A window's upper left pixel, and its height and width."""
        return self.rows.start(row), self.columns.start(column), self.rows.size, self.columns.size


def grid_of(
    scene: tuple[int, int], window: tuple[int, int], overlap: int | None, unit: tuple[int, int]
) -> Grid:
    """The windows of a scene.

    Args:
        scene: Its (height, width) in pixels.
        window: Of a window.
        overlap: Pixels that neighbours share at least; None: a fourth of a window's side.
        unit: Pixels of which steps are multiples, where a window holds two of them; see `unit_of`.

    Raises:
        RequestError: Windows would not get on.
    """
    sides = zip(scene, window, unit, strict=True)
    return Grid(*(Axis(length, size, _step(size, overlap, one)) for length, size, one in sides))


def _step(size: int, overlap: int | None, unit: int) -> int:
    shared = size // SHARE if overlap is None else overlap
    if not 0 <= shared < size:
        what = f"is {shared}, and windows are {size} pixels wide."
        raise RequestError(Problem("--overlap", what, f"Take 0 to {size - 1}."))
    step = size - shared
    if unit < size:
        step = max(step // unit, 1) * unit
    return step


def unit_of(multiple: int, seen: tuple[int, int], stored: tuple[int, int]) -> tuple[int, int]:
    """Pixels by which a window may be moved so that the cells of a model's maps lie as before.

    Args:
        multiple: The largest stride of the model's maps, in pixels that it sees.
        seen: (height, width) of an image as the model sees it.
        stored: Of the same image as stored.
    """
    sides = zip(seen, stored, strict=True)
    height, width = (Fraction(multiple * there, here).numerator for here, there in sides)
    return height, width


def runs(indices: list[int], most: int) -> list[list[int]]:
    """Indices in batches of about equal size, none larger than `most`."""
    count = -(-len(indices) // most)
    bounds = [len(indices) * part // max(count, 1) for part in range(count + 1)]
    return [indices[begin:end] for begin, end in pairwise(bounds)]
