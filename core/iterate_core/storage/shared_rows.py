"""Arrays that several processes fill together, and that stay as they were when one is killed.

Rows lie in .npy files of full length from the start. A file of marks, one byte a block, says which
blocks are whole: whoever computes one holds its lock, and marks it once its rows are on the disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from iterate_core.heartbeat import beat
from iterate_core.storage.files import Locked, lock, replacing

Arrays = list[npt.NDArray[Any]]

PATIENCE_SECONDS = 6 * 3600.0
"""For how long others may do nothing of what one waits for."""

_MOST_BLOCKS = 512  # a bound on the files that claim them
_SECONDS_BETWEEN_LOOKS = 0.05


@dataclass(frozen=True)
class SharedRows:
    """Some arrays of equally many rows.

    Attributes:
        stem: Path of their files, less what `names` and the marks add to it.
        names: What tells the arrays apart; the first chunk of rows fixes their types and shapes.
        rows: How many there are.
        least: Rows of a block, at least.
        aside: Path of the marks and locks, less what tells them apart; None: as of the arrays.
    """

    stem: Path
    names: tuple[str, ...]
    rows: int
    least: int
    aside: Path | None = None

    @property
    def block(self) -> int:
        """Rows of a block, a multiple of the least."""
        return self.least * -(-self.rows // (self.least * _MOST_BLOCKS))

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.rows // self.block) if self.rows else 0

    @property
    def paths(self) -> list[Path]:
        """Where the arrays lie."""
        return [self.stem.with_name(f"{self.stem.name}-{name}.npy") for name in self.names]

    def whole(self) -> list[np.memmap] | None:
        """The arrays, mapped for reading; None while rows are missing, or if they are damaged."""
        return None if self.missing() else self._mapped()

    def missing(self) -> list[int]:
        """Blocks that nobody has finished."""
        marks = self._marks()
        return [number for number, mark in enumerate(marks) if not mark]

    def span(self, number: int) -> range:
        """The rows of a block."""
        return range(number * self.block, min((number + 1) * self.block, self.rows))

    def claim(self, number: int, chunks: Callable[[range], Iterable[Arrays]]) -> bool:
        """Compute and write a block, unless somebody else does or has.

        Args:
            number: Of the block.
            chunks: A span of rows → those rows of every array, in chunks.

        Returns:
            Whether this process wrote it.
        """
        if self._marks()[number]:
            return False
        try:
            with lock(self._beside(f"-{number}.lock")):
                if self._marks()[number]:
                    return False
                self._write(self.span(number), chunks(self.span(number)))
                self._mark(number)
                return True
        except Locked:
            return False

    def restart_if_damaged(self) -> None:
        """Forget all blocks if an array of which some are whole is not there or is cut off."""
        with lock(self._beside(".lock"), PATIENCE_SECONDS):
            if any(self._marks()) and self._mapped() is None:
                for path in (self._beside(".done"), *self.paths):
                    path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what served the filling; whoever still takes a lock there finds every mark."""
        stem = self.aside or self.stem
        for path in stem.parent.glob(f"{stem.name}-*.lock"):
            path.unlink(missing_ok=True)

    def _beside(self, ending: str) -> Path:
        stem = self.aside or self.stem
        return stem.with_name(stem.name + ending)

    def _marks(self) -> bytes:
        return self._marks_kept() or bytes(self.blocks)

    def _marks_kept(self) -> bytes | None:
        """The file of marks; None if it is not there, or cut off."""
        try:
            marks = self._beside(".done").read_bytes()
        except FileNotFoundError:
            return None
        return marks if len(marks) == self.blocks else None

    def _mapped(self) -> list[np.memmap] | None:
        try:
            arrays = [np.load(path, mmap_mode="r") for path in self.paths]
        except (OSError, ValueError, EOFError):
            return None
        return arrays if all(len(array) == self.rows for array in arrays) else None

    def _write(self, span: range, chunks: Iterable[Arrays]) -> None:
        """Plainly rather than through a memory map, where a full disk would end the process."""
        files: list[BinaryIO] = []
        with ExitStack() as opened:
            for arrays in chunks:
                if not files:
                    self._create(arrays)
                    files = [
                        opened.enter_context(_opened_at(path, span.start, rows))
                        for path, rows in zip(self.paths, arrays, strict=True)
                    ]
                for file, rows in zip(files, arrays, strict=True):
                    file.write(np.ascontiguousarray(rows).data)
            for file in files:
                file.flush()
                os.fsync(file.fileno())

    def _create(self, like: Arrays) -> None:
        """Make files of full length, without content as yet, for rows like these."""
        if self._marks_kept() is not None:
            return
        with lock(self._beside(".lock"), PATIENCE_SECONDS):
            if self._marks_kept() is not None:
                return
            for path, rows in zip(self.paths, like, strict=True):
                for left in path.parent.glob(
                    f".{path.name}.*.part"
                ):  # by a process that was killed
                    left.unlink(missing_ok=True)
                with replacing(path) as part, part.open("wb") as file:
                    shape = (self.rows, *rows.shape[1:])
                    header = {"descr": rows.dtype.str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                    file.truncate(file.tell() + self.rows * rows[0].nbytes)
            with replacing(self._beside(".done")) as part:
                part.write_bytes(bytes(len(self._marks())))

    def _mark(self, number: int) -> None:
        handle = os.open(self._beside(".done"), os.O_WRONLY)
        try:
            os.pwrite(handle, b"\1", number)
        finally:
            os.close(handle)


def fill(parts: Sequence[SharedRows], chunks: Callable[[int, range], Iterable[Arrays]]) -> None:
    """Fill all blocks that are missing, together with whoever else does; wait for the last one.

    Args:
        parts: What is to be filled.
        chunks: Number of a part, and a span of its rows → those rows of every array, in chunks.

    Raises:
        Locked: Others hold what is missing, and have finished nothing for hours.
    """
    for part in parts:
        if part.whole() is None:
            part.restart_if_damaged()
    left, deadline = _missing(parts), time.monotonic() + PATIENCE_SECONDS
    while left:
        # One at a time, so that a block that failed elsewhere is soon come upon.
        wrote = any(parts[index].claim(number, partial(chunks, index)) for index, number in left)
        before, left = left, _missing(parts)
        if wrote or left != before:
            deadline = time.monotonic() + PATIENCE_SECONDS
        elif time.monotonic() > deadline:
            raise Locked("another process")
        elif left:
            beat()
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    for part in parts:
        part.tidy()


def _missing(parts: Sequence[SharedRows]) -> list[tuple[int, int]]:
    return [(index, number) for index, part in enumerate(parts) for number in part.missing()]


@contextmanager
def _opened_at(path: Path, start: int, rows: npt.NDArray[Any]) -> Iterator[BinaryIO]:
    """An array's file, open for writing where its row `start` begins; `rows` are such rows."""
    with path.open("r+b") as file:
        version = np.lib.format.read_magic(file)
        assert version == (1, 0)  # noqa: S101 - as `_create` wrote it
        np.lib.format.read_array_header_1_0(file)
        file.seek(start * rows[0].nbytes, os.SEEK_CUR)
        yield file
