"""Arrays that are written as they come, so that none need be held whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from iterate_core.storage.files import replacing


class GrowingArray:
    """A .npy file to which rows are added; its type and shape are those of the first.

    Written plainly rather than through a memory map, where a full disk would end the process.

    Args:
        handle: The file, empty and open for writing.
        rows: How many there will be; None where only the last tells, with `close`.
    """

    def __init__(self, handle: BinaryIO, rows: int | None) -> None:
        self._handle = handle
        self._rows = rows
        self._written = 0
        self._shape: tuple[int, ...] = ()
        self.dtype: np.dtype[Any] | None = None

    def extend(self, rows: npt.NDArray[Any]) -> None:
        """Add (n, …) rows, in the array's own type."""
        if self.dtype is None:
            self.dtype, self._shape = rows.dtype, rows.shape[1:]
            self._write_header(self._rows or 0)
        self._written += len(rows)
        self._handle.write(np.ascontiguousarray(rows, dtype=self.dtype).data)

    def close(self) -> None:
        """Say how many rows there are, if nobody knew: headers have room for any number."""
        if self._rows is None and self.dtype is not None:
            self._handle.seek(0)
            self._write_header(self._written)

    def _write_header(self, rows: int) -> None:
        assert self.dtype is not None  # noqa: S101 - that of the first rows
        shape = (rows, *self._shape)
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._handle, header)


@contextmanager
def growing(path: Path, rows: int | None) -> Iterator[GrowingArray]:
    """An array of so many rows, written row by row to a .npy file that is whole or absent.

    Args:
        path: The file.
        rows: How many rows; None counts them.

    Raises:
        MachineError: The disk has no room for it.
    """
    with replacing(path) as part, part.open("wb") as handle:
        array = GrowingArray(handle, rows)
        yield array
        array.close()
