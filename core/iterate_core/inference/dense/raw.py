"""Pixels of a map while it is being made: a plain file that is right after every write."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iterate_core.inference.dense.outputs import Output


@dataclass(frozen=True)
class RawMap:
    """Band after band, row after row; a block that is written twice is the same as once.

    Attributes:
        path: The file.
        output: What it holds.
        height: Rows.
        width: Columns.
    """

    path: Path
    output: Output
    height: int
    width: int

    @property
    def itemsize(self) -> int:
        """Bytes of a pixel of a band."""
        return np.dtype(self.output.kind).itemsize

    @property
    def bytes(self) -> int:
        """Of the whole file."""
        return len(self.output.bands) * self.height * self.width * self.itemsize

    def allocate(self) -> None:
        """Make the file, which takes no room before it is written to."""
        with self.path.open("wb") as file:
            file.truncate(self.bytes)

    def write(self, row: int, column: int, block: npt.NDArray[np.generic]) -> None:
        """Write a block (bands, h, w) at its upper left pixel."""
        little = np.ascontiguousarray(block, dtype=np.dtype(self.output.kind).newbyteorder("<"))
        handle = os.open(self.path, os.O_WRONLY)
        try:
            for band, pixels in enumerate(little):
                for line, values in enumerate(pixels):
                    place = (band * self.height + row + line) * self.width + column
                    _put(handle, values.tobytes(), place * self.itemsize)
        finally:
            os.close(handle)

    def settle(self) -> None:
        """Wait until the disk has all that was written."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put(handle: int, values: bytes, offset: int) -> None:
    done = 0
    while done < len(values):
        done += os.pwrite(handle, values[done:], offset + done)
