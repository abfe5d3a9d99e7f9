"""Files that are whole or absent, and folders that one process owns at a time."""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from iterate_core.errors import MachineError
from iterate_core.faults import disk_error
from iterate_core.heartbeat import beat

# No string holds a line break, so what spans lines is a list.
_ROW = re.compile(r"\[\n\s*(-?\d[-+.\d\seE,]*?)\n\s*\]")


@contextmanager
def replacing(path: Path, needs: int | None = None) -> Iterator[Path]:
    """Write to the yielded path beside `path`; it takes `path`'s place only if all went well.

    Args:
        path: The file.
        needs: About how many bytes it takes.

    Raises:
        MachineError: The disk has no room for it.
    """
    try:
        with _replacing(path) as part:
            yield part
    except Exception as error:
        # Here the part is gone again: what is free now is what there was for it.
        told = disk_error(error, path.parent, path.name, needs)
        if told is None or isinstance(error, MachineError):
            raise
        raise told from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all; a row of numbers, as of a matrix, takes one line."""
    text = json.dumps(value, indent=2, allow_nan=False)
    text = _ROW.sub(lambda row: "[" + " ".join(row[1].split()) + "]", text)
    with replacing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


class Locked(Exception):  # noqa: N818 - a state, not an error: the caller decides
    """Another process holds the lock; its message is what that process wrote into it."""


@contextmanager
def lock(path: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the system releases it when the process ends, however.

    Raises:
        Locked: Another process still holds it after `wait_seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        _acquire(handle, time.monotonic() + wait_seconds)
        handle.truncate(0)
        handle.write(f"process {os.getpid()}")
        handle.flush()
        yield


def _acquire(handle: TextIO, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                handle.seek(0)
                raise Locked(handle.read()) from None
            beat()
            time.sleep(0.05)
        else:
            return
