"""The arrays of an .npz file, once its headers are known to tell the truth."""

from __future__ import annotations

import math
import zipfile
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


def load_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Every array of the file by its name; nothing pickled is read.

    Each array's header is compared with the length of its entry, and their sum with the machine's
    memory, before any memory is taken.

    Raises:
        DataError: It is no such file, damaged, forged, or too large for this machine.
    """
    check_plain_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_names(path, [entry.filename for entry in entries])
            for entry in entries:
                with archive.open(entry) as handle:
                    _check_header(handle, entry)
            check_memory(str(path), sum(entry.file_size for entry in entries))
            return {
                entry.filename.removesuffix(_SUFFIX): _read(archive, entry) for entry in entries
            }
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - damaged bytes end in any error type at all
        what = f"is not a readable .npz file of plain arrays ({error})."
        raise DataError(Problem(str(path), what)) from None


def _check_names(path: Path, names: list[str]) -> None:
    foreign = [name for name in names if not name.endswith(_SUFFIX)]
    if foreign:
        raise DataError(Problem(str(path), f"holds {foreign[0]!r}, which is no array."))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(Problem(str(path), f"holds {twice!r} twice."))


def _check_header(handle: IO[bytes], entry: zipfile.ZipInfo) -> None:
    """Refuse a header that declares another number of bytes than its entry has."""
    shape, _, kind = _HEADERS[np.lib.format.read_magic(handle)](handle)
    declared = handle.tell() + math.prod(shape) * kind.itemsize
    if kind.hasobject:
        raise ValueError(f"{entry.filename} holds objects, which only a pickle keeps")
    if declared != entry.file_size:
        what = f"{entry.filename} declares {shape} of {kind}, {declared} bytes with its header"
        raise ValueError(f"{what}, but has {entry.file_size}")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(entry) as handle:
        array: npt.NDArray[Any] = np.lib.format.read_array(handle, allow_pickle=False)
        handle.read()  # to its end, where its checksum is compared
        return array
