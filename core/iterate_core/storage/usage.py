"""Entries of the cache, each a folder: who uses one, since when nobody does, and its removal."""

from __future__ import annotations

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


class Use:
    """That an entry is used: nobody removes it until this is released, or nobody refers to it.

    Args:
        handle: A descriptor that holds the entry's lock, which this owns from now on.
    """

    def __init__(self, handle: int) -> None:
        self.release: Callable[[], object] = weakref.finalize(self, os.close, handle)


def use(entry: Path) -> Use:
    """Use an entry, made if it is absent.

    Raises:
        OSError: It cannot be made.
    """
    while True:
        entry.mkdir(parents=True, exist_ok=True)
        # Where it has just been removed, this fails or takes a file that is nowhere: once more.
        with suppress(FileNotFoundError):
            handle = os.open(entry / USED, os.O_RDWR | os.O_CREAT, 0o666)
            found = Use(handle)
            fcntl.flock(handle, fcntl.LOCK_SH)
            if os.path.samestat(os.fstat(handle), (entry / USED).stat()):
                os.utime(entry / USED)
                return found


def last_used(entry: Path) -> float:
    """When somebody last began to use an entry, in seconds since 1970."""
    for path in (entry / USED, entry):
        with suppress(FileNotFoundError):
            return path.stat().st_mtime
    return 0.0


def is_used(entry: Path) -> bool:
    """Whether any process uses an entry now."""
    with suppress(FileNotFoundError), (entry / USED).open("rb") as handle:
        return not _alone(handle)
    return False


def remove(entry: Path) -> bool:
    """Remove an entry, unless it is in use; it is gone at once, whole.

    Returns:
        Whether it is gone.
    """
    for left in entry.parent.glob(f"{_REMOVED}*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    try:
        with (entry / USED).open("ab") as handle:
            if not _alone(handle):
                return False
            grave = entry.with_name(f"{_REMOVED}{os.getpid()}-{entry.name}")
            entry.rename(grave)
    except (FileNotFoundError, NotADirectoryError):
        return not entry.exists()
    shutil.rmtree(grave, ignore_errors=True)
    return True


def entries(kind: Path) -> list[Path]:
    """The entries in a folder, the least recently used first."""
    found = [path for path in _listed(kind) if path.is_dir() and not path.name.startswith(".")]
    return sorted(found, key=last_used)


def disk_bytes(folder: Path) -> int:
    """Bytes that a folder takes on its disk: of files written in part, the part."""
    sizes = (path.lstat().st_blocks * 512 for path in _below(folder))
    return sum(sizes)


def _below(folder: Path) -> Iterator[Path]:
    for path in _listed(folder):
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        elif path.exists():
            yield path


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
