"""Images that keep an index into a table of colours for each pixel, such as PNGs of mode P."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import ColorInterp

from iterate_core.errors import DataError, Problem

COLOURS = ("red", "green", "blue")
_OPAQUE = 255


def has_palette(file: Any) -> bool:
    """Whether the one band of an open image holds indices into a table of colours."""
    return bool(file.count == 1 and file.colorinterp[0] == ColorInterp.palette)


def expanded(indices: npt.NDArray[Any], file: Any, where: str) -> npt.NDArray[np.uint8]:
    """(3, height, width): the colours that an open image's indices (height, width) stand for.

    Raises:
        DataError: An index is not in the table, or stands for no colour that is seen.
    """
    table: dict[int, tuple[int, ...]] = file.colormap(1)
    used = [int(index) for index in np.unique(indices)]
    lacking = next((index for index in used if index not in table), None)
    if lacking is not None:
        what = f"is a palette image whose table has no colour {lacking}, which its pixels use."
        raise DataError(Problem(where, what, "Save it as red, green and blue."))
    seen_through = next(
        (index for index in used if index == file.nodata or table[index][3] != _OPAQUE), None
    )
    if seen_through is not None:
        what = (
            f"is a palette image whose colour {seen_through} is transparent or marks missing data."
        )
        raise DataError(Problem(where, what, "Save it as red, green and blue."))
    colours = np.zeros((used[-1] + 1, len(COLOURS)), np.uint8)
    colours[used] = [table[index][:3] for index in used]
    pixels: npt.NDArray[np.uint8] = np.moveaxis(colours[indices], -1, 0)
    return pixels
