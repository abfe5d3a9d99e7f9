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
        rows: How many there will be.
    """

    def __init__(self, handle: BinaryIO, rows: int) -> None:
        self._handle = handle
        self._rows = rows
        self.dtype: np.dtype[Any] | None = None

    def extend(self, rows: npt.NDArray[Any]) -> None:
        """Add (n, …) rows, in the array's own type."""
        if self.dtype is None:
            self.dtype = rows.dtype
            shape = (self._rows, *rows.shape[1:])
            header = {"descr": rows.dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._handle, header)
        self._handle.write(np.ascontiguousarray(rows, dtype=self.dtype).data)


@contextmanager
def growing(path: Path, rows: int) -> Iterator[GrowingArray]:
    """An array of so many rows, written row by row to a .npy file that is whole or absent.

    Raises:
        MachineError: The disk has no room for it.
    """
    with replacing(path) as part, part.open("wb") as handle:
        yield GrowingArray(handle, rows)
