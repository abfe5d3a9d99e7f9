"""Files of one scene on one grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iterate_core.data.folders.rasters import coordinates
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.header import Header
from iterate_core.inference.scenes.opening import Grid

_NEAR = 0.01  # pixels that grids may lie apart and be one


def finest(grids: Sequence[Grid]) -> int:
    """The number of the grid with the most pixels; the first of several."""
    sizes = [grid.height * grid.width for grid in grids]
    return sizes.index(max(sizes))


def brought(headers: Sequence[Header], first: int) -> list[Grid | None]:
    """For each file the grid that it must be brought to; None where it lies on it.

    Raises:
        DataError: A file says nothing of where it lies, and has not as many pixels.
    """
    return [_brought(header, headers[first]) for header in headers]


def _brought(header: Header, to: Header) -> Grid | None:
    own, grid = header.grid, to.grid
    same_size = (own.height, own.width) == (grid.height, grid.width)
    if own.crs is None or grid.crs is None:
        if same_size:
            return None
        nameless = header.where if own.crs is None else to.where
        what = f"is {own.height} × {own.width} pixels and {to.where} {grid.height} × {grid.width},"
        what = f"{what} and {nameless} does not say where it lies."
        raise DataError(Problem(header.where, what, "Files of one scene need coordinates."))
    same = same_size and own.crs == grid.crs and _near(own, grid)
    return None if same else grid


def _near(own: Grid, grid: Grid) -> bool:
    """Whether all corners lie at the same places, to a part of a pixel."""
    corners = [(0, 0), (grid.width, 0), (0, grid.height)]
    back = ~grid.transform
    there = [coordinates(back, *coordinates(own.transform, *corner)) for corner in corners]
    return bool(np.abs(np.array(there) - np.array(corners)).max() < _NEAR)
