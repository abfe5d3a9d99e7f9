"""Reading GeoTIFF, PNG and JPEG files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from iterate_core.data.convert.palettes import COLOURS, expanded, has_palette
from iterate_core.errors import DataError, Problem
from iterate_core.storage.limits import check_plain_file, check_size

DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Suffix → the one GDAL driver that may read it: no file chooses its own reader."""

LOSSY = (".jpg", ".jpeg")

# Else libjpeg fills what is missing of a truncated file with grey, and GDAL's quick way of reading
# a PNG fills it with zeros.
STRICT = {
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": False,
    "GDAL_PAM_ENABLED": False,
}


@contextmanager
def open_image(path: Path) -> Iterator[Any]:
    """Open an image; what GDAL finds wrong, then or while it is read, is a `DataError`.

    So is an image that would take more memory than a sample can need.
    """
    check_plain_file(path)
    driver = DRIVERS[path.suffix.lower()]
    with _told(str(path), driver), rasterio.open(path, driver=driver) as file:
        _check_size(file, str(path))
        yield file


@contextmanager
def open_encoded(content: bytes, where: str) -> Iterator[Any]:
    """As `open_image`, of the bytes of a file; their beginning says which driver may read them."""
    driver = next((name for start, name in _BEGINNINGS.items() if content.startswith(start)), None)
    if driver is None:
        raise DataError(Problem(where, f"is none of {', '.join(sorted(set(DRIVERS.values())))}."))
    with (
        _told(where, driver),
        rasterio.MemoryFile(content) as memory,
        memory.open(driver=driver) as file,
    ):
        _check_size(file, where)
        yield file


_BEGINNINGS = {
    b"II*\x00": "GTiff",
    b"II+\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"MM\x00+": "GTiff",
    b"\x89PNG": "PNG",
    b"\xff\xd8": "JPEG",
}


@contextmanager
def _told(where: str, driver: str) -> Iterator[None]:
    """Within GDAL's strict ways, what it finds wrong is a `DataError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.Env(**STRICT):
                yield
        except (RasterioError, OSError, ValueError, MemoryError) as error:
            reason = str(error.__cause__ or error).strip()
            what = f"is not a readable {driver} image ({reason})."
            raise DataError(Problem(where, what)) from None


def _check_size(file: Any, where: str) -> None:
    check_size(where, (file.count, file.height, file.width), np.result_type(*file.dtypes))


def read_image(path: Path) -> npt.NDArray[Any]:
    """(bands, height, width) in the file's own type; a palette becomes red, green and blue."""
    with open_image(path) as file:
        pixels: npt.NDArray[Any] = file.read()
        return expanded(pixels[0], file, str(path)) if has_palette(file) else pixels


def read_numbers(path: Path) -> npt.NDArray[Any]:
    """As `read_image`, but a palette's numbers stay as they are: those of a mask are labels."""
    with open_image(path) as file:
        numbers: npt.NDArray[Any] = file.read()
        return numbers


def read_mask(path: Path) -> npt.NDArray[Any]:
    """(height, width) whole numbers: the labels of an image's pixels.

    Raises:
        DataError: It has several bands, or may not hold what was saved.
    """
    if path.suffix.lower() in LOSSY:
        what = "is a JPEG, whose compression changes the labels."
        raise DataError(Problem(str(path), what, "Use PNG or GeoTIFF for masks."))
    mask = read_numbers(path)
    if len(mask) != 1 or mask.dtype.kind not in "ui":
        what = f"must have one band of whole numbers, but has {len(mask)} of {mask.dtype}."
        raise DataError(Problem(str(path), what))
    plane: npt.NDArray[Any] = mask[0]
    return plane


def band_names(path: Path) -> tuple[str, ...] | None:
    """The file's band descriptions, or its colours; None where it declares neither."""
    with open_image(path) as file:
        return names_in(file)


def names_in(file: Any) -> tuple[str, ...] | None:
    """As `band_names`, of an open image."""
    if has_palette(file):
        return COLOURS
    described = tuple(text for text in file.descriptions if text)
    if len(described) == file.count:
        return described
    colours = tuple(colour.name for colour in file.colorinterp)
    named = all(colour in ("red", "green", "blue", "alpha") for colour in colours)
    return colours if named else None


def nodata_of(path: Path) -> float | None:
    """The value that marks pixels without data in `read_image`, where the file declares one."""
    with open_image(path) as file:
        value: float | None = None if has_palette(file) else file.nodata
        return value


def ignored_of(path: Path) -> float | None:
    """The value that marks pixels without data in `read_numbers`, where the file declares one."""
    with open_image(path) as file:
        value: float | None = file.nodata
        return value
