"""Lines that are added to a file one after another, and are all there or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """A file of JSON, a line an entry.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def cut(self, size: int | None = None) -> int:
        """Cut the file to a number of bytes, or after its last whole line; how many there are."""
        self._path.touch()
        with self._path.open("r+b") as file:
            if size is None:
                size = sum(len(line) for line in file if line.endswith(b"\n"))
            file.truncate(size)
        return size

    def add(self, *entries: Any) -> int:
        """Add entries, and wait until the disk has them; how many bytes there are then."""
        with self._path.open("ab") as file:
            for entry in entries:
                file.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def __iter__(self) -> Iterator[Any]:
        with self._path.open("rb") as file:
            for line in file:
                yield json.loads(line)
