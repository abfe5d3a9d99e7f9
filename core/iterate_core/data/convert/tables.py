"""A table of quantities beside a folder of images: a row an image, a column a quantity."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iterate_core.data.convert.source import SPLIT_WORDS
from iterate_core.data.dataset import Split
from iterate_core.errors import DataError, Problem
from iterate_core.storage.limits import check_plain_file

TABLE = "labels.csv"
NAMES = ("name", "file", "image", "id")
"""What the column may be called that names the images; the first that is there counts."""

_SPLIT = "split"


@dataclass(frozen=True)
class Row:
    """What a table says of an image.

    Attributes:
        values: Its quantities by their columns; NaN where the cell is empty.
        split: Where there is such a column.
    """

    values: Mapping[str, float]
    split: Split | None


def read_table(path: Path) -> dict[str, Row]:
    """The rows of a table by the names of their images.

    Raises:
        DataError: It is damaged, names no images or one twice, or a cell is no number.
    """
    lines = csv.DictReader(text_of(path).splitlines())
    columns = list(lines.fieldnames or [])
    key = next((name for name in NAMES if name in columns), None)
    if key is None or len(set(columns)) != len(columns):
        what = f"must have distinct columns and one that is called 'name', but has {columns}."
        raise DataError(Problem(str(path), what))
    quantities = [column for column in columns if column not in (key, _SPLIT)]
    rows: dict[str, Row] = {}
    for line in lines:
        where, name = f"{path}:{lines.line_num}", line[key] or ""
        if None in line or None in line.values():
            raise DataError(Problem(where, f"does not have {len(columns)} cells."))
        if name in rows:
            raise DataError(Problem(where, f"names {name!r} again."))
        values = {column: _number(line[column], column, where) for column in quantities}
        rows[name] = Row(values, _split(line[_SPLIT], where) if _SPLIT in columns else None)
    return rows


def text_of(path: Path) -> str:
    """The text of a file, without a mark of its byte order.

    Raises:
        DataError: It cannot be read, or is no UTF-8.
    """
    check_plain_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot be read ({error.strerror}).")) from None
    except ValueError as error:
        raise DataError(Problem(str(path), f"is not UTF-8 text ({error}).")) from None
    return text


def _number(cell: str, column: str, where: str) -> float:
    try:
        value = float(cell) if cell.strip() else math.nan
    except ValueError:
        value = math.inf
    if math.isinf(value):
        what = f"has {cell!r} under {column!r}, which is no number."
        raise DataError(Problem(where, what, "Leave the cell of an unknown value empty."))
    return value


def _split(word: str, where: str) -> Split:
    split = SPLIT_WORDS.get(word.strip().lower())
    if split is None:
        raise DataError(Problem(where, f"{word!r} is no split.", "Legal: train, val, test."))
    return split
