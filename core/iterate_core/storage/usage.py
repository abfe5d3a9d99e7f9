"""Entries of the cache: who uses one, since when nobody does, and its removal."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

USED = "used.lock"
"""In an entry: whoever uses it holds this file, shared, and touches it when it begins to."""

_REMOVED = ".removed-"
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class Use:
    """That an entry is used: nobody removes it until this is released, or nobody refers to it.

    Args:
        handle: A descriptor that holds the entry's lock, which this owns from now on.
    """

    def __init__(self, handle: int) -> None:
        self.release: Callable[[], object] = weakref.finalize(self, os.close, handle)


def use(entry: Path) -> Use:
    """Use an entry, made if it is absent.

    Where others own it and this process may only read, nothing need be written.

    Raises:
        OSError: It cannot be made.
    """
    while True:
        entry.mkdir(parents=True, exist_ok=True)
        # Where it has just been removed, this fails or takes a file that is nowhere: once more.
        with suppress(FileNotFoundError):
            try:
                handle = os.open(entry / USED, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                if error.errno not in _FORBIDDEN:
                    raise
                return Use(_for_reading(entry / USED))
            found = Use(handle)
            fcntl.flock(handle, fcntl.LOCK_SH)
            if os.path.samestat(os.fstat(handle), (entry / USED).stat()):
                os.utime(entry / USED)
                return found


def last_used(entry: Path) -> float:
    """When somebody last began to use an entry, in seconds since 1970.

    Of one that is not used through `use`, when any of it was last read or written, as far as its
    disk tells.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        return (entry / USED).stat().st_mtime
    stats = [path.stat() for path in _below(entry)]
    return max((max(stat.st_mtime, stat.st_atime) for stat in stats), default=0.0)


def is_used(entry: Path) -> bool:
    """Whether any process uses an entry now, or writes to it: whether it holds a lock in there."""
    for path in _below(entry):
        if path.name.endswith(".lock"):
            try:
                with path.open("r+b") as handle:
                    if not _alone(handle):
                        return True
            except FileNotFoundError:
                continue
            except PermissionError:
                return True
    return False


def remove(entry: Path) -> bool:
    """Remove an entry, a folder or a file, unless it is in use; it is gone at once, whole.

    Returns:
        Whether it is gone.
    """
    for left in entry.parent.glob(f"{_REMOVED}*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    if is_used(entry):
        return False
    if not entry.is_dir():
        entry.unlink(missing_ok=True)
        return True
    with (entry / USED).open("ab") as handle:
        if not _alone(handle):
            return False
        grave = entry.with_name(f"{_REMOVED}{os.getpid()}-{entry.name}")
        entry.rename(grave)
    shutil.rmtree(grave, ignore_errors=True)
    return True


def entries(kind: Path) -> list[Path]:
    """The entries in a folder, the least recently used first."""
    found = [path for path in _listed(kind) if not path.name.startswith(".")]
    return sorted((path for path in found if path.suffix != ".lock"), key=last_used)


def disk_bytes(entry: Path) -> int:
    """Bytes that an entry takes on its disk: of files written in part, the part."""
    return sum(path.lstat().st_blocks * 512 for path in _below(entry))


def _for_reading(path: Path) -> int:
    """A descriptor that holds a lock, shared, if it is there; whoever owns it may not know."""
    handle = os.open(path if path.exists() else os.devnull, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def _below(entry: Path) -> Iterator[Path]:
    """The files of an entry."""
    if not entry.is_dir() or entry.is_symlink():
        if entry.exists():
            yield entry
        return
    for path in _listed(entry):
        yield from _below(path)


def _listed(folder: Path) -> list[Path]:
    """What is in a folder; nothing where it is gone, as others may remove it meanwhile."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _alone(handle: BinaryIO) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
