"""The table of all images that were predicted in a folder, taken up where it was left."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import fingerprint
from iterate_core.inference.done import FOLDER, Done, Records
from iterate_core.inference.images.rows import Row, columns_of
from iterate_core.inference.journal import Journal
from iterate_core.inference.wanted import Wanted
from iterate_core.storage.files import replacing

_INSTEAD = "Take another --out, or --overwrite to replace what is there."
FORMATS = ("csv", "parquet")


@dataclass(frozen=True)
class _Entry:
    """An image's rows, what was asked of it, and what fixes its files' content."""

    how: str
    content: str
    rows: list[Row]


def wanted_table(out: Path, key: Mapping[str, Any], ending: str) -> Wanted:
    """The table as it is asked for.

    Args:
        out: The folder of outputs.
        key: Fixes the models and options.
        ending: One of `FORMATS`.
    """
    return Wanted(".table", str(out), (), fingerprint(key), (f"predictions.{ending}",))


def _name(wanted: Wanted) -> str:
    """Of an image: its files, so that others of its name have rows of their own."""
    return " ".join(wanted.of)


class Table:
    """Rows of images.

    Each image is added to a journal when it is predicted; the table is written of the journal.

    Args:
        records: Of the folder of outputs.
        wanted: See `wanted_table`; all rows of a table are of the same models and options.
        afresh: Whether what is there is thrown away.

    Raises:
        RequestError: The folder's table is of other models, or was asked for otherwise.
    """

    def __init__(self, records: Records, wanted: Wanted, *, afresh: bool) -> None:
        out, key = records.out, wanted.how
        self._records, self._wanted, self._lock = records, wanted, Lock()
        path = out / FOLDER / "images.jsonl"
        if afresh:
            path.unlink(missing_ok=True)
        self._journal = Journal(path)
        self._rows: dict[str, _Entry] = {}
        if self._journal.cut() == 0:
            self._journal.add({"key": key})
        entries = iter(self._journal)
        if next(entries)["key"] != key:
            what = "holds predictions of another model, or ones asked for with other options."
            raise RequestError(Problem(str(out), what, _INSTEAD))
        for entry in entries:
            self._rows[entry["name"]] = _Entry(entry["how"], entry["content"], entry["rows"])

    def check(self, wanted: Wanted) -> None:
        """Refuse an image of which other things were said when it was predicted before.

        Raises:
            RequestError: It is one.
        """
        known = self._rows.get(_name(wanted))
        if known is not None and known.how != wanted.how:
            what = f"{wanted.source} has a row in it that was asked for with other options."
            where = str(self._records.out / self._wanted.files[0])
            raise RequestError(Problem(where, what, _INSTEAD))

    def rows(self, wanted: Wanted, content: str) -> list[Row] | None:
        """An image's rows, where it was predicted and has not changed since.

        Args:
            wanted: The image.
            content: Fixes what its files hold.
        """
        known = self._rows.get(_name(wanted))
        return None if known is None or known.content != content else known.rows

    def add(self, images: Iterable[tuple[Wanted, str, list[Row]]]) -> None:
        """Add images: what is asked, what fixes the files' content, and the rows of each."""
        several = {_name(one): _Entry(one.how, content, rows) for one, content, rows in images}
        with self._lock:
            self._journal.add(*({"name": name, **vars(one)} for name, one in several.items()))
            self._rows |= several

    def write(self) -> Path | None:
        """Write the table, whole or not at all; returns its path, None if it has no row."""
        rows = [row for entry in self._rows.values() for row in entry.rows]
        path = self._records.out / self._wanted.files[0]
        if not rows:
            return None
        self._records.claim(self._wanted, "")
        with replacing(path) as part:
            (_write_csv if path.suffix == ".csv" else _write_parquet)(part, rows)
        self._records.finish(self._wanted, "", Done((path,), len(rows), len(rows), len(rows)))
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
