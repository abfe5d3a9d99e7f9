"""Windows of a scene, read while others are predicted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.data.loading.batch import Context
from iterate_core.inference.scenes.base import Piece, Scene
from iterate_core.inference.windows import Grid


@dataclass(frozen=True)
class Group:
    """Neighbouring windows of a row of windows, read at once.

    Attributes:
        row: Of windows.
        columns: Of windows, one after another.
        piece: The rectangle that they cover together.
        seen: Those of `columns` in which any pixel is valid.
    """

    row: int
    columns: range
    piece: Piece
    seen: tuple[int, ...]

    def images(self, grid: Grid) -> Tensor:
        """(n, bands, …, height, width): the windows of `seen`."""
        begin = grid.columns.start(self.columns[0])
        starts = [grid.columns.start(column) - begin for column in self.seen]
        size, pixels = grid.columns.size, self.piece.pixels
        return torch.from_numpy(np.stack([pixels[..., at : at + size] for at in starts]))


def groups(
    scene: Scene, grid: Grid, columns: list[list[int]], first_row: int = 0
) -> Iterator[Group]:
    """All windows of a scene from a row on, the next ones being read meanwhile.

    Args:
        scene: To be read.
        grid: Its windows.
        columns: The columns of windows that are read at once.
        first_row: Of windows.

    Raises:
        DataError: See `Scene.read`.
    """
    order = [(row, part) for row in range(first_row, grid.rows.count) for part in columns]
    with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
        coming = deque(reader.submit(_read, scene, grid, *part) for part in order[:1])
        for number in range(len(order)):
            group = coming.popleft().result()
            coming.extend(
                reader.submit(_read, scene, grid, *part) for part in order[number + 1 : number + 2]
            )
            yield group


def _read(scene: Scene, grid: Grid, row: int, columns: list[int]) -> Group:
    top, left, height, _ = grid.part(row, columns[0])
    size = grid.columns.size
    piece = scene.read(top, left, height, grid.columns.start(columns[-1]) + size - left)
    some: npt.NDArray[np.bool_] = np.any(piece.valid, axis=0)
    starts = [(column, grid.columns.start(column) - left) for column in columns]
    seen = tuple(column for column, at in starts if some[at : at + size].any())
    return Group(row, range(columns[0], columns[-1] + 1), piece, seen)


def context_of(scene: Scene, parts: list[tuple[int, int, int, int]]) -> Context | None:
    """When and where windows were taken; None where nothing is known.

    Args:
        scene: Of them.
        parts: Their upper left pixels and sizes.
    """
    return joined([scene.context(*part) for part in parts])


def joined(found: Sequence[Context | None]) -> Context | None:
    """The context of several images; None where it is not known of all of them."""
    known = [each for each in found if each is not None]
    if len(known) < len(found) or not known:
        return None
    dates = [each.dates for each in known if each.dates is not None]
    places = [each.places for each in known if each.places is not None]
    return Context(
        torch.cat(dates) if len(dates) == len(known) else None,
        torch.cat(places) if len(places) == len(known) else None,
    )
