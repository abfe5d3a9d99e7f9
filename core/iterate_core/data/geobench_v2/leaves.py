"""The files inside a sample: GeoTIFF, HDF5 and GeoParquet, each read from its own bytes.

A file's declared shape is checked before its pixels are decoded, so that a few bytes cannot ask
for all of the memory, and no file chooses what reads it.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import rasterio
from pyarrow import parquet
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from iterate_core.errors import DataError, Problem
from iterate_core.storage.limits import MOST_BYTES, check_size

GTIFF, HDF5, PARQUET = "GTiff", "HDF5", "GeoParquet"

MOST_OBJECTS = 1_000_000
_HDF5_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
"""Those that are part of HDF5 or h5py: any other would be looked for as a plugin."""

Pixels = npt.NDArray[Any]


def read_geotiff(raw: bytes, where: str, count: int, *, more: bool = False) -> Pixels:
    """(count, height, width) in the file's own type.

    Args:
        raw: The file.
        where: What it is, for messages.
        count: How many bands it must have.
        more: Whether it may have more behind them.

    Raises:
        DataError: It is no GeoTIFF, damaged, or has another number of bands.
    """
    with _open_geotiff(raw, where) as file:
        _check_shape(where, (file.count, file.height, file.width), np.dtype(file.dtypes[0]))
        if file.count < count or (file.count > count and not more):
            raise DataError(Problem(where, f"has {file.count} bands, not {count}."))
        pixels: Pixels = file.read(list(range(1, count + 1)))
        return pixels


def geotiff_size(raw: bytes, where: str) -> tuple[int, int]:
    """(height, width), from the header alone.

    Raises:
        DataError: It is no GeoTIFF, or damaged.
    """
    with _open_geotiff(raw, where) as file:
        return file.height, file.width


def read_hdf5(raw: bytes, where: str, dimensions: int) -> Pixels:
    """The array ``data`` in its own type.

    Raises:
        DataError: It is no HDF5 file, damaged, or holds no such array of numbers.
    """
    with _open_hdf5(raw, where) as file:
        array: Pixels = _plain_array(file, where, dimensions)[()]
        return array


def hdf5_size(raw: bytes, where: str, dimensions: int) -> tuple[int, int]:
    """(height, width) of the array ``data``, from the header alone."""
    with _open_hdf5(raw, where) as file:
        height, width = _plain_array(file, where, dimensions).shape[-2:]
        return int(height), int(width)


def read_annotation(raw: bytes, where: str) -> dict[str, Any]:
    """The JSON mapping in the root attribute ``annotation`` of an HDF5 file.

    Raises:
        DataError: It is no HDF5 file, damaged, or holds no such mapping.
    """
    with _open_hdf5(raw, where) as file:
        text = file.attrs["annotation"]
        found = json.loads(text) if isinstance(text, str | bytes) else None
    if not isinstance(found, dict):
        raise DataError(Problem(where, "its attribute 'annotation' must hold a JSON mapping."))
    return found


def read_columns(raw: bytes, where: str, columns: Sequence[str]) -> dict[str, list[Any]]:
    """Some columns of a GeoParquet file; its geometries are not looked at.

    Raises:
        DataError: It is no Parquet file, damaged, or lacks a column.
    """
    try:
        file = parquet.ParquetFile(pa.BufferReader(raw), page_checksum_verification=True)
        groups = range(file.metadata.num_row_groups)
        size = sum(file.metadata.row_group(index).total_byte_size for index in groups)
        if file.metadata.num_rows > MOST_OBJECTS or not 0 <= size <= MOST_BYTES:
            raise DataError(Problem(where, f"lists {file.metadata.num_rows} objects: too many."))
        table = file.read(columns=list(columns), use_threads=False)
        return {name: table.column(name).to_pylist() for name in columns}
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError,
            MemoryError) as error:  # fmt: skip
        raise _unreadable(where, PARQUET, error) from None


@contextmanager
def _open_geotiff(raw: bytes, where: str) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with (
                rasterio.Env(
                    GDAL_PAM_ENABLED=False,
                    GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
                    GDAL_ERROR_ON_LIBJPEG_WARNING=True,
                    GDAL_NUM_THREADS=1,
                ),
                MemoryFile(raw) as memory,
                memory.open(driver=GTIFF) as file,
            ):
                yield file
        except (RasterioError, OSError, ValueError, TypeError, MemoryError) as error:
            raise _unreadable(where, "GeoTIFF", error.__cause__ or error) from None


@contextmanager
def _open_hdf5(raw: bytes, where: str) -> Iterator[h5py.File]:
    try:
        with h5py.File(io.BytesIO(raw), "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError,
            RecursionError) as error:  # fmt: skip
        raise _unreadable(where, HDF5, error) from None


def _plain_array(file: h5py.File, where: str, dimensions: int) -> h5py.Dataset:
    """An array of numbers that lies in this very file and that HDF5 itself can decode."""
    link = file.get("data", getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise DataError(Problem(where, "must hold an array 'data'."))
    found = file["data"]
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise DataError(Problem(where, "its 'data' is not an array that lies in this file."))
    plist = found.id.get_create_plist()
    filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
    if not filters <= _HDF5_FILTERS:
        raise DataError(Problem(where, "its 'data' is packed in a way that needs a plugin."))
    if found.ndim != dimensions:
        raise DataError(Problem(where, f"its 'data' must have {dimensions} axes: {found.shape}."))
    _check_shape(where, found.shape, found.dtype)
    return found


def _check_shape(where: str, shape: Sequence[int], kind: np.dtype[Any]) -> None:
    if kind.kind not in "uif" or 0 in shape:
        raise DataError(Problem(where, f"must hold numbers, but holds {kind} {tuple(shape)}."))
    check_size(where, shape, kind)


def _unreadable(where: str, kind: str, error: BaseException) -> DataError:
    reason = str(error).strip("'\"").partition("\n")[0] or type(error).__name__
    what = f"is not a readable {kind} file: truncated, damaged or of another format ({reason})."
    return DataError(Problem(where, what, "Fetch the file again."))
