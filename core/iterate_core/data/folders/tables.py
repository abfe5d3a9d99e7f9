"""Tables of labels beside images: a row an image, as CSV or as a JSON object a line."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterate_core.data.convert.source import SPLIT_WORDS
from iterate_core.data.convert.tables import NAMES, text_of
from iterate_core.data.dataset import Split
from iterate_core.errors import DataError, Problem

NAMES_OF_IMAGES = ("file_name", *NAMES)
"""What the column may be called that names the images; the first that is there counts."""

_SPLIT = "split"


@dataclass(frozen=True)
class Row:
    """What a table says of an image.

    Attributes:
        where: File and line, for messages.
        name: Of the image, as the table writes it.
        cells: Column → what it says.
    """

    where: str
    name: str
    cells: Mapping[str, Any]

    @property
    def split(self) -> Split | None:
        """Where there is such a column.

        Raises:
            DataError: It names no split.
        """
        if _SPLIT not in self.cells:
            return None
        word = str(self.cells[_SPLIT])
        split = SPLIT_WORDS.get(word.strip().lower())
        if split is None:
            raise DataError(Problem(self.where, f"{word!r} is no split.", "train, val or test."))
        return split

    def cell(self, column: str, option: str) -> Any:
        """What a column says.

        Raises:
            DataError: There is no such column; `option` is what named it.
        """
        if column not in self.cells:
            what = f"has no column {column!r}, which {option} names."
            raise DataError(Problem(self.where, what, f"It has: {', '.join(self.cells)}."))
        return self.cells[column]

    def number(self, column: str, option: str) -> float:
        """What a column says, as a number; NaN where it says nothing.

        Raises:
            DataError: It says something else.
        """
        cell = self.cell(column, option)
        try:
            value = math.nan if cell in (None, "") else float(cell)
        except (TypeError, ValueError):
            value = math.inf
        if math.isinf(value) or isinstance(cell, bool):
            what = f"has {cell!r} under {column!r}, which is no number."
            raise DataError(Problem(self.where, what, "Leave the cell of an unknown value empty."))
        return value


def read_rows(path: Path) -> list[Row]:
    """The rows of a table.

    Raises:
        DataError: It is damaged, no column names images, or an image has two rows.
    """
    read = _json_lines if path.suffix.lower() == ".jsonl" else _csv
    rows: dict[str, Row] = {}
    for where, cells in read(path):
        key = next((name for name in NAMES_OF_IMAGES if name in cells), None)
        if key is None:
            what = f"must have a column that is called 'file_name', but has {list(cells)}."
            raise DataError(Problem(where, what))
        name = str(cells[key])
        if name in rows:
            raise DataError(Problem(where, f"names {name!r} again."))
        rows[name] = Row(where, name, {k: v for k, v in cells.items() if k != key})
    return list(rows.values())


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = csv.DictReader(text_of(path).splitlines())
    columns = list(lines.fieldnames or [])
    if len(set(columns)) != len(columns):
        raise DataError(Problem(str(path), f"must have distinct columns, but has {columns}."))
    for line in lines:
        where = f"{path}:{lines.line_num}"
        if None in line or None in line.values():
            raise DataError(Problem(where, f"does not have {len(columns)} cells."))
        yield where, line


def _json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(Problem(where, f"is not valid JSON ({error}).")) from None
        if not isinstance(cells, dict):
            raise DataError(Problem(where, "must be a JSON object."))
        yield where, cells
