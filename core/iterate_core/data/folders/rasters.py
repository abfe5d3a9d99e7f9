"""One image file: its pixels, and all that its header says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.warp import transform as to_crs

from iterate_core.data.convert.images import names_in, open_image
from iterate_core.data.convert.palettes import expanded, has_palette
from iterate_core.data.geobench_v2.resample import bilinear, nearest
from iterate_core.errors import DataError, Problem

_DEGREES = "EPSG:4326"


@dataclass(frozen=True)
class Raster:
    """An image and where on Earth it lies.

    Attributes:
        path: Its file.
        pixels: (bands, height, width) in the file's own type.
        names: Of its bands, where the file says.
        nodata: The value that marks pixels without data, where the file says.
        transform: From columns and rows to coordinates (an `affine.Affine`).
        crs: Of the coordinates; None where the file has none.
        missing: (height, width) whether a pixel lacks data; None where none does.
        tags: Of each band the factor and the summand that the file says make its numbers physical.
    """

    path: Path
    pixels: npt.NDArray[Any]
    names: tuple[str, ...] | None
    nodata: float | None
    transform: Any
    crs: Any
    missing: npt.NDArray[np.bool_] | None = None
    tags: tuple[tuple[float, float], ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.pixels.shape[1:]
        return height, width

    @property
    def place(self) -> tuple[float, float] | None:
        """Latitude and longitude of its centre in degrees; None where it lies nowhere."""
        if self.crs is None:
            return None
        x, y = coordinates(self.transform, self.size[1] / 2, self.size[0] / 2)
        (longitude,), (latitude,) = to_crs(self.crs, _DEGREES, [x], [y])
        return latitude, longitude

    @property
    def metres(self) -> float | None:
        """Ground size of a pixel; None where its coordinates are no lengths."""
        if self.crs is None or not self.crs.is_projected:
            return None
        _, factor = self.crs.linear_units_factor
        return float(abs(self.transform.a) * factor)

    def resized(self, size: tuple[int, int]) -> Raster:
        """Brought to (height, width) pixels bilinearly; it covers the same ground."""
        if size == self.size:
            return self
        right, down = self.size[1] / size[1], self.size[0] / size[0]
        a, b, c, d, e, f = self.transform[:6]
        moved = type(self.transform)(a * right, b * down, c, d * right, e * down, f)
        missing = None if self.missing is None else nearest(self.missing, size)
        return replace(self, pixels=bilinear(self.pixels, size), transform=moved, missing=missing)


def read_raster(path: Path) -> Raster:
    """An image with its header.

    Raises:
        DataError: It is damaged.
    """
    with open_image(path) as file:
        pixels, nodata = file.read(), file.nodata
        tags = tuple(zip(file.scales, file.offsets, strict=True))
        if has_palette(file):
            pixels, nodata, tags = expanded(pixels[0], file, str(path)), None, ((1.0, 0.0),) * 3
        names = names_in(file)
        return Raster(path, pixels, names, nodata, file.transform, file.crs, tags=tags)


def footprint(path: Path) -> tuple[Any, Sequence[tuple[float, float]]]:
    """The coordinate system of an image and the coordinates of its four corners, unread."""
    with open_image(path) as file:
        columns, rows = file.width, file.height
        corners = [(0, 0), (columns, 0), (columns, rows), (0, rows)]
        return file.crs, [coordinates(file.transform, *corner) for corner in corners]


def check_ground(path: Path, image: Raster) -> None:
    """Refuse a label's file that says it lies elsewhere than its image.

    Where a file or the image says nothing, pixels alone decide. Names of coordinates that are no
    code are not compared: one system has many.

    Raises:
        DataError: Their coordinates are of different codes, or their edges a pixel apart.
    """
    crs, corners = footprint(path)
    if crs is None or image.crs is None:
        return
    codes = crs.to_epsg(), image.crs.to_epsg()
    hint = "Bring both to one grid before."
    if None not in codes and codes[0] != codes[1]:
        what = f"is in EPSG:{codes[0]}, and its image {image.path} in EPSG:{codes[1]}."
        raise DataError(Problem(str(path), what, hint))
    height, width = image.size
    own = [coordinates(image.transform, *at) for at in ((0, 0), (width, height))]
    pixel = max(abs(own[1][0] - own[0][0]) / width, abs(own[1][1] - own[0][1]) / height)
    apart = np.abs(np.array([corners[0], corners[2]]) - np.array(own)).max()
    if apart > pixel:
        (left, top), (right, bottom) = corners[0], corners[2]
        what = f"lies at {left:.10g} to {right:.10g}, {bottom:.10g} to {top:.10g}, up to "
        what += f"{apart:.10g} from the edges of its image {image.path}."
        raise DataError(Problem(str(path), what, hint))


def coordinates(transform: Any, column: float, row: float) -> tuple[float, float]:
    """Of a place in an image, counted in pixels from its upper left corner."""
    a, b, c, d, e, f = transform[:6]
    return a * column + b * row + c, d * column + e * row + f
