"""The tortilla container: files one behind the other, listed by a Parquet table at the end.

A blob opens with ``#y``, the table's offset and length (little-endian, 64 bits each) and padding
up to byte 200. Each row of the table names one file with its format, offset and length. A
GEO-Bench-2 file is a blob of samples, and each sample is itself a blob of files, its offsets
counted from its own start; there is no third level. Nothing in a blob is run, and no path in it
is followed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from iterate_core.errors import DataError, Problem
from iterate_core.storage.limits import check_plain_file

MAGIC = b"#y"
PAYLOAD_OFFSET = 200
NESTED = "TORTILLA"

NAME, FORMAT, SPLIT = "tortilla:id", "tortilla:file_format", "tortilla:data_split"
OFFSET, LENGTH = "tortilla:offset", "tortilla:length"
COLUMNS = (NAME, FORMAT, SPLIT, OFFSET, LENGTH)
"""What the table of a file has; that of a sample may do without the split."""

MOST_ROWS = 5_000_000
MOST_TABLE_BYTES = 1 << 30
"""A table beyond these is damage, or an attack on the memory."""


@dataclass(frozen=True)
class Item:
    """One row of a table.

    Attributes:
        name: Its identifier.
        format: ``"TORTILLA"``, ``"GTiff"``, ``"HDF5"`` or ``"GeoParquet"``.
        split: ``"train"``, ``"validation"``, ``"test"``, or another word; empty if not told.
        offset: Its first byte, counted from the start of the file on disk.
        length: In bytes.
        fields: The row's other columns.
    """

    name: str
    format: str
    split: str
    offset: int
    length: int
    fields: Mapping[str, Any]


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file; what the system finds wrong, then or later, is a `DataError`."""
    check_plain_file(path)
    try:
        with path.open("rb") as handle:
            yield handle
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot be read ({error.strerror}).")) from None


def read_samples(path: Path, further: Sequence[str] = ()) -> tuple[Item, ...]:
    """The samples of a file, without opening any.

    Args:
        path: The file.
        further: Columns to read beside those that each file has, where there are such.

    Raises:
        DataError: The file is absent, truncated, foreign, or lists something else than samples.
    """
    with opened(path) as handle:
        size = handle.seek(0, 2)
        items = _read_items(handle, 0, size, str(path), COLUMNS, further)
    foreign = next((item for item in items if item.format != NESTED), None)
    if foreign is not None:
        what = f"lists {foreign.name!r} of format {foreign.format!r} where a sample must be."
        raise DataError(Problem(str(path), what))
    return items


def read_files(handle: BinaryIO, sample: Item, where: str) -> tuple[Item, ...]:
    """The files of one sample, in stored order.

    Args:
        handle: The open file that holds the sample.
        sample: As `read_samples` lists it.
        where: File and sample, for messages.

    Raises:
        DataError: The sample is damaged, or nests a third level.
    """
    files = _read_items(handle, sample.offset, sample.length, where, None)
    for file in files:
        if file.format == NESTED:
            raise DataError(Problem(where, f"nests a sample {file.name!r} inside a sample."))
    return files


def content(handle: BinaryIO, item: Item) -> bytes:
    """The bytes of one file."""
    handle.seek(item.offset)
    return handle.read(item.length)


def _read_items(
    handle: BinaryIO,
    start: int,
    size: int,
    where: str,
    columns: Sequence[str] | None,
    further: Sequence[str] = (),
) -> tuple[Item, ...]:
    handle.seek(start)
    header = handle.read(18)
    if len(header) < 18 or header[:2] != MAGIC:
        raise DataError(Problem(where, "is not a tortilla: it does not begin as one."))
    offset, length = struct.unpack("<QQ", header[2:])
    if offset < PAYLOAD_OFFSET or length == 0 or offset + length > size:
        what = f"is truncated or damaged: its table should be the bytes {offset} to "
        raise DataError(Problem(where, f"{what}{offset + length}, but it has {size}."))
    handle.seek(start + offset)
    rows = _read_table(handle.read(length), where, columns, further)
    return tuple(_item(row, start, offset, where) for row in rows)


def _read_table(
    raw: bytes, where: str, columns: Sequence[str] | None, further: Sequence[str]
) -> list[dict[str, Any]]:
    try:
        file = parquet.ParquetFile(
            pa.BufferReader(raw),
            page_checksum_verification=True,
            thrift_string_size_limit=1 << 26,
            thrift_container_size_limit=MOST_ROWS,
        )
        metadata = file.metadata
        groups = range(metadata.num_row_groups)
        size = sum(metadata.row_group(index).total_byte_size for index in groups)
        if metadata.num_rows > MOST_ROWS or not 0 <= size <= MOST_TABLE_BYTES:
            what = f"lists {metadata.num_rows} files in a table of {size} bytes, which is too much."
            raise DataError(Problem(where, what))
        names = file.schema_arrow.names
        needed = columns or [name for name in COLUMNS if name != SPLIT]
        missing = [name for name in needed if name not in names]
        if missing:
            raise DataError(Problem(where, f"its table lacks the column {missing[0]!r}."))
        there = [name for name in further if name in names]
        table = file.read(columns=columns and [*columns, *there], use_threads=False)
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError,
            MemoryError) as error:  # fmt: skip
        what = f"its table cannot be read: truncated or damaged ({_first_line(error)})."
        raise DataError(Problem(where, what, "Fetch the file again.")) from None
    return rows


def _item(row: dict[str, Any], start: int, end: int, where: str) -> Item:
    name, kind, split, offset, length = (row.pop(column, None) for column in COLUMNS)
    split = "" if split is None else split
    if not all(isinstance(text, str) for text in (name, kind, split)):
        raise DataError(Problem(where, f"its table lists a file without a name: {name!r}."))
    whole = all(type(number) is int for number in (offset, length))
    if not whole or offset < PAYLOAD_OFFSET or length <= 0 or offset + length > end:
        what = f"lists {name!r} at the bytes {offset} + {length}, outside {PAYLOAD_OFFSET} to {end}"
        raise DataError(Problem(where, f"{what}: truncated or damaged."))
    return Item(name, kind, split, start + offset, length, row)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].strip() or type(error).__name__
