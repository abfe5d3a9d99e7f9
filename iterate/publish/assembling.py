"""A folder that is whole or absent."""

from __future__ import annotations

import fcntl
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iterate.run.models import MODEL_FILE
from iterate_core.errors import Problem, RequestError
from iterate_core.faults import blaming_machine, machine_error

_PART, _BEFORE = ".part", ".before"


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that is taken.

    Args:
        folder: To be written.
        overwrite: Whether an exported model there may be replaced.

    Raises:
        RequestError: It is there, and holds something else or may not be replaced.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    sums = folder / "SHA256SUMS"
    if not folder.is_dir() or not (folder / MODEL_FILE).is_file() or not sums.is_file():
        what = "is there already, and is no exported model: it stays as it is."
        raise RequestError(Problem(str(folder), what, "Name another folder."))
    if not overwrite:
        what = "holds an exported model already."
        raise RequestError(Problem(str(folder), what, "Say --overwrite, or name another folder."))


@contextmanager
def assembled(folder: Path) -> Iterator[Path]:
    """Write into the yielded folder; it takes the other's place only if all went well.

    What exports to the same place left that were killed is removed.

    Raises:
        RequestError: The folder cannot be made.
        MachineError: The disk is full or gone.
    """
    with blaming_machine(folder, "the exported model"):
        part, held = _begun(folder)
        try:
            yield part
            part.chmod(0o755)
            before = part.with_suffix(_BEFORE)
            if folder.exists():
                folder.rename(before)
            part.rename(folder)
            shutil.rmtree(before, ignore_errors=True)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            os.close(held)


def _begun(folder: Path) -> tuple[Path, int]:
    """A new folder beside one that is to be written, and its lock: held as long as we live."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=_PART))
        held = os.open(part, os.O_RDONLY)
    except OSError as error:
        if machine_error(error, folder.parent) is not None:
            raise
        what = f"{folder} cannot be made: {os.strerror(error.errno or 0).lower()}."
        raise RequestError(Problem("--to", what, "Name another folder.")) from error
    with suppress(OSError):  # a disk that knows no locks: then nothing there is cleared either
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return part, held


def _clear(folder: Path) -> None:
    """Remove what killed exports to a folder left: nobody holds its lock."""
    ours = re.compile(re.escape(f".{folder.name}.") + r"[a-z0-9_]{8}" + re.escape(_PART))
    for found in folder.parent.glob(glob.escape(f".{folder.name}.") + "*"):
        if ours.fullmatch(found.name) and found.is_dir() and not found.is_symlink():
            _remove_dead(found)


def _remove_dead(part: Path) -> None:
    with suppress(OSError):
        held = os.open(part, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(part, ignore_errors=True)
        finally:
            os.close(held)
