"""Writing tortilla files, and the files inside them.

What is written carries checksums inside wherever its format has them, and a ``SHA256SUMS`` beside
it, so that a damaged byte is found.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from iterate_core.data.geobench_v2.integrity import SUMS, listed_sums
from iterate_core.data.geobench_v2.leaves import GTIFF, HDF5, PARQUET
from iterate_core.data.geobench_v2.tortilla import COLUMNS, MAGIC, NESTED, PAYLOAD_OFFSET
from iterate_core.storage.files import replacing


@dataclass(frozen=True)
class NewFile:
    """A file of a sample.

    Attributes:
        name: Its identifier, such as ``"s2"``.
        format: ``"GTiff"``, ``"HDF5"`` or ``"GeoParquet"``.
        content: Its bytes.
        fields: Further columns of its row: ``"labels"``, ``"lon"``, ``"stac:time_start"``, …
    """

    name: str
    format: str
    content: bytes
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NewSample:
    """A sample.

    Attributes:
        name: Its identifier.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        files: In stored order.
        fields: Further columns of its row in the outer table.
    """

    name: str
    split: str
    files: Sequence[NewFile]
    fields: Mapping[str, Any] = field(default_factory=dict)


def write_tortilla(path: Path, samples: Iterable[NewSample]) -> None:
    """Write one file, whole or not at all, one sample in memory at a time.

    `write_sums` says afterwards what the files of a folder are.
    """
    with replacing(path) as part, part.open("wb") as handle:
        handle.write(b"\0" * PAYLOAD_OFFSET)
        rows = []
        for sample in samples:
            blob = _nested(sample)
            offset = handle.tell()
            handle.write(blob)
            row = (sample.name, NESTED, sample.split, offset, len(blob))
            rows.append({**dict(zip(COLUMNS, row, strict=True)), **sample.fields})
        _finish(handle, rows)


def write_sums(paths: Sequence[Path]) -> None:
    """Write the SHA-256 of files of one folder into its ``SHA256SUMS``, beside those it has."""
    folder = paths[0].parent
    sums = listed_sums(folder)
    for path in paths:
        with path.open("rb") as handle:
            sums[path.name] = hashlib.file_digest(handle, "sha256").hexdigest()
    with replacing(folder / SUMS) as part:
        lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
        part.write_text("".join(lines), encoding="utf-8")


def geotiff_file(
    name: str, pixels: npt.NDArray[Any], fields: Mapping[str, Any] | None = None
) -> NewFile:
    """A GeoTIFF of (bands, height, width) pixels."""
    count, height, width = pixels.shape
    profile = {"count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile() as memory:
            # Deflate: its streams end with a checksum, and every GDAL reads it.
            with memory.open(driver="GTiff", compress="deflate", **profile) as file:
                file.write(pixels)
            content = memory.read()
    shape = {"stac:raster_shape": [height, width]}
    return NewFile(name, GTIFF, content, {**shape, **(fields or {})})


def hdf5_file(
    name: str, array: npt.NDArray[Any], fields: Mapping[str, Any] | None = None
) -> NewFile:
    """An HDF5 file with an array ``data``."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("data", data=array, compression="gzip", fletcher32=True)
    return NewFile(name, HDF5, buffer.getvalue(), fields or {})


def annotation_file(
    name: str, annotation: Mapping[str, Any], fields: Mapping[str, Any] | None = None
) -> NewFile:
    """An HDF5 file with a JSON attribute ``annotation``."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["annotation"] = json.dumps(annotation)
    return NewFile(name, HDF5, buffer.getvalue(), fields or {})


def table_file(
    name: str, columns: Mapping[str, Sequence[Any]], fields: Mapping[str, Any] | None = None
) -> NewFile:
    """A Parquet table."""
    buffer = io.BytesIO()
    parquet.write_table(pa.table(dict(columns)), buffer, write_page_checksum=True)
    return NewFile(name, PARQUET, buffer.getvalue(), fields or {})


def _nested(sample: NewSample) -> bytes:
    buffer = io.BytesIO()
    buffer.write(b"\0" * PAYLOAD_OFFSET)
    rows = []
    for file in sample.files:
        offset = buffer.tell()
        buffer.write(file.content)
        row = (file.name, file.format, sample.split, offset, len(file.content))
        rows.append({**dict(zip(COLUMNS, row, strict=True)), **file.fields})
    _finish(buffer, rows)
    return buffer.getvalue()


def _finish(handle: BinaryIO, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table at the end, and where it lies into the beginning."""
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.table({name: [_plain(row.get(name)) for row in rows] for name in names})
    offset = handle.tell()
    parquet.write_table(table, handle, write_page_checksum=True)
    length = handle.tell() - offset
    handle.seek(0)
    handle.write(MAGIC + struct.pack("<QQQ", offset, length, 1))
    handle.seek(0, 2)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
