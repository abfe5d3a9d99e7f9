"""The table of all images that were predicted in a folder, taken up where it was left."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from iterate_core.errors import Problem, RequestError
from iterate_core.inference.done import FOLDER
from iterate_core.inference.images.rows import Row, columns_of
from iterate_core.inference.journal import Journal
from iterate_core.storage.files import replacing

FORMATS = ("csv", "parquet")


class Table:
    """Rows of images.

    Each image is added to a journal when it is predicted; the table is written of the journal.

    Args:
        out: The folder of outputs.
        key: Fixes what predicts them and how: all rows of a table are of one.
        afresh: Whether what is there is thrown away.

    Raises:
        RequestError: The folder's table is of other models, or was asked for otherwise.
    """

    def __init__(self, out: Path, key: str, *, afresh: bool) -> None:
        self._out, self._lock = out, Lock()
        path = out / FOLDER / "images.jsonl"
        if afresh:
            path.unlink(missing_ok=True)
        self._journal = Journal(path)
        self._rows: dict[str, tuple[str, list[Row]]] = {}
        if self._journal.cut() == 0:
            self._journal.add({"key": key})
        entries = iter(self._journal)
        if next(entries)["key"] != key:
            what = "holds predictions of another model, or ones asked for with other options."
            hint = "Take another --out, or --overwrite to replace them."
            raise RequestError(Problem(str(out), what, hint))
        for entry in entries:
            self._rows[entry["name"]] = entry["content"], entry["rows"]

    def rows(self, name: str, content: str) -> list[Row] | None:
        """An image's rows, where it was predicted and has not changed since.

        Args:
            name: Of the image.
            content: Fixes it.
        """
        known, rows = self._rows.get(name, (None, []))
        return rows if known == content else None

    def add(self, images: Iterable[tuple[str, str, list[Row]]]) -> None:
        """Add images: the name, what fixes it, and the rows of each."""
        several = list(images)
        with self._lock:
            self._journal.add(*({"name": n, "content": c, "rows": r} for n, c, r in several))
            self._rows |= {name: (content, rows) for name, content, rows in several}

    def write(self, ending: str) -> Path:
        """Write the table, whole or not at all; returns its path.

        Args:
            ending: One of `FORMATS`.
        """
        rows = [row for _, several in self._rows.values() for row in several]
        path = self._out / f"predictions.{ending}"
        with replacing(path) as part:
            (_write_csv if ending == "csv" else _write_parquet)(part, rows)
        return path


def _write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["file"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)


def _text(value: Any) -> Any:
    """Numbers with the digits that float32 has."""
    return f"{value:.7g}" if isinstance(value, float) else value


def _write_parquet(path: Path, rows: list[Row]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table(columns_of(rows)), path)
