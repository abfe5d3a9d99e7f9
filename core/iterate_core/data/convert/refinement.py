"""Targets on a finer grid than their images: laid out as the images are, or made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.errors import DataError, Problem, RequestError

Array = npt.NDArray[Any]


def finer_maps(targets: Array, images: Array, *, channels_last: bool, where: str) -> Array:
    """(samples, quantities, height, width) on a grid some times as fine as the images'.

    Args:
        targets: As in the file: with an axis of quantities where images have theirs, or none.
        images: (samples, bands, height, width).
        channels_last: Whether that axis is the last in the file.
        where: The file, for messages.

    Raises:
        DataError: They are no numbers, or their grid is not a whole number of times as fine.
    """
    if targets.ndim not in (3, 4) or targets.dtype.kind not in "uif":
        what = "'targets' must be (samples, quantities, height, width) numbers, but is "
        raise DataError(Problem(where, f"{what}{targets.dtype} {targets.shape}."))
    maps = targets[:, None] if targets.ndim == 3 else targets
    if targets.ndim == 4 and channels_last:
        maps = np.moveaxis(maps, -1, 1)
    factor = maps.shape[2] // images.shape[2]
    if factor < 2 or maps.shape[2:] != (images.shape[2] * factor, images.shape[3] * factor):
        what = f"has targets of {maps.shape[2:]} cells for images of {images.shape[2:]} pixels."
        raise DataError(Problem(where, what, "Both sides must be 2, 3, … times as many."))
    return maps.astype(np.float32)


def check_coarsen(factor: int | None, fill: str | None, tile: int | None, *, mask: bool) -> None:
    """Refuse a factor that is none, or pixels made up that would be scored as measured.

    Raises:
        RequestError: So it is.
    """
    if factor is None:
        return
    if factor < 2:
        raise RequestError(Problem("coarsen", f"must be 2 or more, but is {factor}."))
    what = "would let the finer grid hold pixels that nobody measured."
    if fill is not None or mask:
        raise RequestError(Problem("fill", what, "Leave samples without data out of the source."))
    if tile is not None:
        raise RequestError(Problem("tile", what, "Bring the images to one size before."))


def coarsened(image: Array, factor: int, where: str) -> tuple[Array, Array]:
    """An image's means over squares of pixels, in its own type, and the image as their target.

    Args:
        image: (bands, height, width).
        factor: Pixels along the side of a square.
        where: The sample, for messages.

    Returns:
        (bands, height / factor, width / factor), rounded if the type is one of whole numbers; and
        the image as float32.

    Raises:
        DataError: The squares do not fill the image.
    """
    bands, height, width = image.shape
    if height % factor or width % factor:
        what = f"is {height} × {width} pixels, which {factor} does not divide."
        raise DataError(Problem(where, what, "Crop it, or choose another --coarsen."))
    squares = image.reshape(bands, height // factor, factor, width // factor, factor)
    means = squares.mean(axis=(2, 4), dtype=np.float64)
    coarse = means if image.dtype.kind == "f" else np.rint(means)
    return coarse.astype(image.dtype), image.astype(np.float32)
