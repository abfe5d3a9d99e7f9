"""Predictions of overlapping windows, blended into one map in bounded memory.

Windows are predicted row after row. In memory is what some neighbouring windows cover. What the
next row of windows will add to is kept in a file, group of windows after group of windows in the
order in which it will be wanted; whatever is settled is handed on at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from iterate_core.inference.members import Ensemble
from iterate_core.inference.reading import Group, context_of, groups
from iterate_core.inference.scenes.base import Scene
from iterate_core.inference.windows import Grid, runs

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Settled:
    """A finished block of a map.

    Attributes:
        row: Of its upper left cell.
        column: Likewise.
        values: (models, channels, h, w) blended predictions.
        valid: (h, w) whether the scene has data there.
    """

    row: int
    column: int
    values: Values
    valid: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stitching:
    """How a scene's map is made.

    Attributes:
        scene: The scene.
        grid: Its windows.
        ensemble: What predicts them.
        batch: How many go through a model at once.
        apart: Whether the map of each model is blended by itself, rather than their mean.
        folder: For what the next row of windows will need.
    """

    scene: Scene
    grid: Grid
    ensemble: Ensemble
    batch: int
    apart: bool
    folder: Path

    @property
    def finer(self) -> int:
        """Cells of the map along the side of a pixel."""
        return self.ensemble.first.target.finer

    @property
    def stack(self) -> tuple[int, int]:
        """How many maps are blended: (models, channels)."""
        return (
            len(self.ensemble.models) if self.apart else 1,
            self.ensemble.first.target.channels,
        )

    def run(
        self,
        first_row: int,
        write: Callable[[Settled], None],
        advanced: Callable[[int, int], None],
        row_done: Callable[[int], None],
    ) -> None:
        """Make the map from a row of windows on.

        Args:
            first_row: Of windows; those before must have been made in this folder.
            write: Takes each finished block.
            advanced: Is told how many windows were passed, and how many of them predicted.
            row_done: Is told each row of windows that is done, once the files say so too.
        """
        columns = runs(list(range(self.grid.columns.count)), self.batch)
        coming = groups(self.scene, self.grid, columns, first_row)
        for row in range(first_row, self.grid.rows.count):
            with ExitStack() as files:
                before = files.enter_context(self._carry(row).open("rb")) if row else None
                after = files.enter_context(self._carry(row + 1).open("wb"))
                edge: Values | None = None
                for group in _some(coming, len(columns)):
                    edge = self._group(group, edge, before, after, write)
                    advanced(len(group.columns), len(group.seen))
                after.flush()
                os.fsync(after.fileno())
            row_done(row)

    def _carry(self, row: int) -> Path:
        """What is known of a row of windows before it is predicted."""
        return self.folder / f"carry-{row % 2}.raw"

    def _group(
        self,
        group: Group,
        edge: Values | None,
        before: BinaryIO | None,
        after: BinaryIO,
        write: Callable[[Settled], None],
    ) -> Values:
        """Blend a group of windows.

        Returns:
            What lies beyond those cells of which this group is the last to tell.
        """
        grid, finer = self.grid, self.finer
        top, bottom = grid.rows.settled(group.row)
        left, _ = grid.columns.settled(group.columns[0])
        _, right = grid.columns.settled(group.columns[-1])
        blended = self._blended(group)
        if edge is not None:
            blended[..., : edge.shape[-1]] += edge
        done = (right - left) * finer
        slab, beyond = blended[..., :done], blended[..., done:].copy()
        overlap = grid.rows.overlap * finer
        if before is not None:
            slab[..., :overlap, :] += _taken(before, (*self.stack, overlap, done))
        rows = (bottom - top) * finer
        valid = group.piece.valid[: bottom - top, : right - left]
        valid = valid.repeat(finer, axis=0).repeat(finer, axis=1)
        write(Settled(top * finer, left * finer, slab[..., :rows, :], valid))
        after.write(np.ascontiguousarray(slab[..., grid.rows.step * finer :, :]).data)
        return beyond

    def _blended(self, group: Group) -> Values:
        """(models, channels, h, w) of what a group's windows cover, each with its weight."""
        grid, finer = self.grid, self.finer
        height, width = (side * finer for side in group.piece.valid.shape)
        blended = np.zeros((*self.stack, height, width), dtype=np.float32)
        if not group.seen:
            return blended
        predicted = self._predicted(group)
        down = grid.rows.weights(group.row, finer)[:, None]
        begin = grid.columns.start(group.columns[0])
        for number, column in enumerate(group.seen):
            at = (grid.columns.start(column) - begin) * finer
            weights = down * grid.columns.weights(column, finer)
            blended[..., at : at + weights.shape[1]] += predicted[:, number] * weights
        return blended

    def _predicted(self, group: Group) -> Values:
        """(models, n, channels, h, w)."""
        parts = [self.grid.part(group.row, column) for column in group.seen]
        context = context_of(self.scene, parts)
        found = self.ensemble.predict(group.images(self.grid), context)
        values: Values = (found if self.apart else found.mean(dim=0, keepdim=True)).numpy()
        return values


def _some(coming: Iterator[Group], count: int) -> Iterator[Group]:
    for _ in range(count):
        yield next(coming)


def _taken(file: BinaryIO, shape: tuple[int, ...]) -> Values:
    flat = np.fromfile(file, dtype=np.float32, count=int(np.prod(shape)))
    return flat.reshape(shape)
