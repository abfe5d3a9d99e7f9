"""Rows of large files, read into memory before they are asked for, while other work goes on."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class Ahead:
    """Asks the system to read rows of mapped files; on one that knows no such wish, does nothing.

    The system reads them into its own memory, gives them up when it needs that, and takes nothing
    of this process.

    Args:
        arrays: Mapped .npy files.
    """

    def __init__(self, arrays: Sequence[np.memmap]) -> None:
        self._files = [os.open(str(array.filename), os.O_RDONLY) for array in arrays]
        self._rows = [(array.offset, array.strides[0]) for array in arrays]
        weakref.finalize(self, _close, self._files)

    def ask(self, rows: npt.NDArray[np.int64]) -> None:
        """Have some rows of every file read."""
        if not hasattr(os, "posix_fadvise"):
            return
        spans = _spans(np.unique(rows))
        for file, (offset, width) in zip(self._files, self._rows, strict=True):
            for start, stop in spans:
                size = (stop - start) * width
                os.posix_fadvise(file, offset + start * width, size, os.POSIX_FADV_WILLNEED)


def _spans(rows: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Sorted rows as spans of neighbours: (first, one behind the last)."""
    parts = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return [(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
