"""What a stranger's file may be, and unpack to: looked at before memory is taken for it."""

from __future__ import annotations

import math
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iterate_core.errors import DataError, Problem
from iterate_core.faults import readable
from iterate_core.provenance import memory_bytes

MOST_BYTES = 1 << 30
"""Decoded pixels of one sample's file beyond this are damage, or an attack on the memory."""

MOST_CLASSES = 65_536
"""A number of classes beyond this is damage, not a declaration."""


def check_plain_file(path: Path) -> None:
    """Refuse pipes, sockets and devices, which may never end; what is absent is left to opening.

    Raises:
        DataError: It is there, and no file.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise DataError(Problem(str(path), f"is {kind}, not a file."))


def check_size(where: str, shape: Sequence[int], kind: np.dtype[np.generic]) -> None:
    """Refuse pixels of a declared shape that would take more memory than a sample can need.

    Raises:
        DataError: They would.
    """
    size = math.prod(shape) * kind.itemsize
    if size > MOST_BYTES:
        what = f"would unpack to {readable(size)} of pixels, {tuple(shape)} of {kind}."
        hint = f"At most {readable(MOST_BYTES)} are read of one sample: cut it into tiles."
        raise DataError(Problem(where, what, hint))


def check_memory(where: str, size: int) -> None:
    """Refuse a file that unpacks to more than half of this machine's memory.

    Raises:
        DataError: It does.
    """
    installed = memory_bytes()
    if 2 * size > installed:
        what = f"unpacks to {readable(size)}, but this machine has {readable(installed)} of memory."
        hint = "At most half may be taken: divide the file, or convert a folder of images."
        raise DataError(Problem(where, what, hint))
