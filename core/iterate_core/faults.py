"""What is the machine's fault rather than the request's: a disk or memory that ran out.

An error is judged by what caused it, all the way down: PyTorch's complaint about an unexpected
position in a file is the disk's fault if writing to that disk failed before.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import psutil

from iterate_core.errors import MachineError, RequestError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LOST = {
    *(errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN),
    *(errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESHUTDOWN, errno.EHOSTDOWN),
}
_DATABASE = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO}
_INSUFFICIENT = {"53100": errno.ENOSPC, "53200": errno.ENOMEM}
"""PostgreSQL's own words for a full disk and for exhausted memory."""

# Rust's writers (safetensors) tell the system's error in their text alone, PyTorch's not even it.
_FROM_RUST = re.compile(r"\(os error (\d+)\)")
_FROM_TORCH = re.compile(r"unexpected pos \d+ vs \d+|PytorchStreamWriter failed writing")
_ASKED = re.compile(r"tried to allocate (\d+) bytes")

A_FEW = 16 * 10**6
"""Bytes of a run's small files, said where nobody knows better."""


def machine_error(
    error: BaseException, folder: Path, what: str = "files", needs: int | None = None
) -> MachineError | None:
    """The same trouble, told as the machine's fault; None if it is not the machine's.

    Args:
        error: Whatever was raised.
        folder: Where something was written, unless the error names a file.
        what: What was to be written there, in the plural.
        needs: About how many bytes that takes.
    """
    for cause in causes(error):
        if isinstance(cause, MachineError):
            return cause
    number = _errno(error)
    if number in _FULL:
        return MachineError(no_room(_full_place(error, folder), what, number, needs))
    if isinstance(error, RequestError):
        return None
    if number in _LOST:
        place = _file(error) or folder
        return MachineError(f"{place} cannot be used ({os.strerror(number).lower()})")
    return memory_error(error)


@contextmanager
def blaming_machine(folder: Path, what: str = "files") -> Iterator[None]:
    """Tell what is the machine's fault as such; see `machine_error`.

    Raises:
        MachineError: A disk or memory ran out.
    """
    try:
        yield
    except Exception as error:
        fault = machine_error(error, folder, what)
        if fault is None or fault is error:
            raise
        raise fault from error


def disk_error(
    error: BaseException, folder: Path, what: str, needs: int | None = None
) -> MachineError | None:
    """As `machine_error`, for a disk that has no room; None for all else."""
    number = _errno(error)
    if number in _FULL:
        return MachineError(no_room(folder, what, number, needs))
    return None


def no_room(folder: Path, what: str, number: int = errno.ENOSPC, needs: int | None = None) -> str:
    """Which folder has how little room, in one sentence without its full stop."""
    reason = os.strerror(number).lower()
    there = f"{readable(free_bytes(folder))} free, about {readable(needs or A_FEW)} needed"
    return f"{what} cannot be written to {folder}: {reason} ({there})"


def free_bytes(folder: Path) -> int:
    """Bytes that may be written on a folder's disk, whether or not the folder is there yet."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def memory_error(error: BaseException) -> MachineError | None:
    """As `machine_error`, for memory of the host that others hold; None for all else.

    What asks at once for more than the host has in all is itself at fault.
    """
    for cause in causes(error):
        if isinstance(cause, MemoryError) or "can't allocate memory" in str(cause):
            if _asked(cause) > psutil.virtual_memory().total:
                return None
            return MachineError(f"the memory of this machine ran out ({_memory()})")
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it came from, what that came from, and so on."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)


def readable(size: float) -> str:
    """A number of bytes as people read it: ``1.3 GB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _errno(error: BaseException) -> int:
    """The system's number of what went wrong at the root; 0 where it is none of the machine's."""
    found = [_own_errno(cause) for cause in causes(error)]
    return next((number for number in reversed(found) if number in _FULL | _LOST), 0)


def _own_errno(error: BaseException) -> int:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, sqlite3.Error):
        primary = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        return _DATABASE.get(primary, 0)
    if (state := getattr(error, "sqlstate", None)) in _INSUFFICIENT:
        return _INSUFFICIENT[state]
    if (told := _FROM_RUST.search(str(error))) is not None:
        return int(told.group(1))
    return errno.ENOSPC if _FROM_TORCH.search(str(error)) else 0


def _full_place(error: BaseException, folder: Path) -> Path:
    """The folder that an error names, or else whichever has no room: libraries use another too."""
    named = _file(error)
    if named is not None:
        return Path(named).parent
    places = (folder, Path(tempfile.gettempdir()))
    return next((place for place in places if free_bytes(place) < A_FEW), folder)


def _file(error: BaseException) -> str | None:
    names = [cause.filename for cause in causes(error) if isinstance(cause, OSError)]
    return next((str(name) for name in names if name is not None), None)


def _asked(error: BaseException) -> int:
    """Bytes that were asked for at once; 0 where that is not known."""
    told = _ASKED.search(str(error))
    if told is not None:
        return int(told.group(1))
    shape, dtype = getattr(error, "shape", None), getattr(error, "dtype", None)  # NumPy's
    return 0 if shape is None or dtype is None else prod(shape) * int(dtype.itemsize)


def _memory() -> str:
    memory = psutil.virtual_memory()
    return f"{readable(memory.available)} of {readable(memory.total)} free"
