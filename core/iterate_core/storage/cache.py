"""Where derived data are kept: nothing in it is lost that cannot be made again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iterate_core.errors import MachineError
from iterate_core.faults import disk_error

_HINT = "Set ITERATE_CACHE to a folder with space."


def cache_folder() -> Path:
    """``$ITERATE_CACHE``, else ``$XDG_CACHE_HOME/iterate``, else ``~/.cache/iterate``.

    The folder is not made here.
    """
    chosen = os.environ.get("ITERATE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "iterate"


@dataclass
class Room:
    """What is to be kept.

    Attributes:
        needs: About how many bytes it takes; None until that is known.
    """

    needs: int | None = None


@contextmanager
def cached(what: str, folder: Path) -> Iterator[Room]:
    """Say what cannot be kept in a folder of the cache, how little room there is, and what to do.

    Raises:
        MachineError: The folder cannot be written, or its disk is full.
    """
    room = Room()
    try:
        yield room
    except (OSError, MachineError) as error:
        told = disk_error(error, folder, what, room.needs)
        if told is None and not (isinstance(error, OSError) and _concerns(error, folder)):
            raise
        if told is not None:
            raise MachineError(f"{told}. {_HINT}") from error
        why = f"{what} cannot be kept in {folder} ({getattr(error, 'strerror', error)})"
        raise MachineError(f"{why}. Set ITERATE_CACHE to a folder that can be written.") from error


def _concerns(error: OSError, folder: Path) -> bool:
    """Whether an error is about the folder, what is in it or what it is in."""
    if error.filename is None:
        return True
    named = Path(os.fsdecode(error.filename)).absolute()
    return named.is_relative_to(folder.absolute()) or folder.absolute().is_relative_to(named)
