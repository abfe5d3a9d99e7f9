"""The arrays of an .npz file, once its headers are known to tell the truth."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from iterate_core.errors import DataError, Problem
from iterate_core.storage.limits import check_memory, check_plain_file

_SUFFIX = ".npy"
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class Header:
    """What a file declares of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_headers(path: Path) -> dict[str, Header]:
    """What is declared of each array, by its name; no array is read.

    Raises:
        DataError: See `load_arrays`.
    """
    with _checked(path) as (_, headers):
        return headers


def load_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Arrays of the file by name; nothing pickled is read.

    Each array's header is compared with the length of its entry, and the sum of those wanted with
    the machine's memory, before any memory is taken.

    Args:
        path: The file.
        names: Which arrays, of those that are there; None takes all.

    Raises:
        DataError: It is no such file, damaged, forged, or too large for this machine.
    """
    with _checked(path) as (archive, _):
        wanted = {
            name: entry
            for entry in archive.infolist()
            if (name := _name_of(entry)) and (names is None or name in names)
        }
        check_memory(str(path), sum(entry.file_size for entry in wanted.values()))
        return {name: _read(archive, entry) for name, entry in wanted.items()}


@contextmanager
def _checked(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, Header]]]:
    """The open file and its headers; whatever goes wrong while it is open is told of it."""
    check_plain_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_names(path, [entry.filename for entry in entries])
            headers = {_name_of(entry): _header(archive, entry) for entry in entries}
            yield archive, headers
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - damaged bytes end in any error type at all
        what = f"is not a readable .npz file of plain arrays ({error})."
        raise DataError(Problem(str(path), what)) from None


def _name_of(entry: zipfile.ZipInfo) -> str:
    return entry.filename.removesuffix(_SUFFIX)


def _check_names(path: Path, names: list[str]) -> None:
    foreign = [name for name in names if not name.endswith(_SUFFIX)]
    if foreign:
        raise DataError(Problem(str(path), f"holds {foreign[0]!r}, which is no array."))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(Problem(str(path), f"holds {twice!r} twice."))


def _header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Header:
    with archive.open(entry) as handle:
        return _checked_header(handle, entry)


def _checked_header(handle: IO[bytes], entry: zipfile.ZipInfo) -> Header:
    """An array's header, if it declares as many bytes as its entry has."""
    shape, _, kind = _HEADERS[np.lib.format.read_magic(handle)](handle)
    declared = handle.tell() + math.prod(shape) * kind.itemsize
    if kind.hasobject:
        raise ValueError(f"{entry.filename} holds objects, which only a pickle keeps")
    if declared != entry.file_size:
        what = f"{entry.filename} declares {shape} of {kind}, {declared} bytes with its header"
        raise ValueError(f"{what}, but has {entry.file_size}")
    return Header(shape, kind)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(entry) as handle:
        array: npt.NDArray[Any] = np.lib.format.read_array(handle, allow_pickle=False)
        handle.read()  # to its end, where its checksum is compared
        return array
