"""A CSV as rows of text: what is wrong with it as a table, and how its mistakes are told."""

from __future__ import annotations

import codecs
import csv
import difflib
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iterate_core.errors import DataError, Problem

# More would not help anyone to mend a file.
_SHOWN = 25
_OTHER_MARKS = {";": "semicolons", "\t": "tabs"}


def table(path: Path) -> tuple[list[str], list[dict[str, str]], str]:
    """The header, the rows as text, and the content's sha256 of a CSV.

    Raises:
        DataError: It is unreadable, has no header, or a row is longer or shorter than the header.
    """
    try:
        content = path.read_bytes()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(Problem(str(path), "is UTF-16 text.", "Save it as CSV in UTF-8."))
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(Problem(str(path), f"cannot be read as CSV: {error}.")) from None
    if not lines:
        raise DataError(Problem(str(path), "is empty.", "It must open with the columns' names."))
    header = [name.strip() for name in lines[0]]
    for mark, named in _OTHER_MARKS.items():
        if len(header) == 1 and mark in header[0]:
            what = f"has {named} between its cells instead of commas."
            raise DataError(Problem(str(path), what, "Save it with commas, and points in numbers."))
    doubled = sorted({name for name in header if header.count(name) > 1})
    problems = [Problem(str(path), f"has the column {name!r} more than once.") for name in doubled]
    problems += [
        Problem(place(path, number), f"has {len(line)} cells, but the header has {len(header)}.")
        for number, line in enumerate(lines[1:], start=2)
        if line and len(line) != len(header)
    ]
    if problems:
        raise DataError(few(path, problems))
    rows = [dict(zip(header, line, strict=True)) if line else {} for line in lines[1:]]
    return header, rows, hashlib.sha256(content).hexdigest()


def nearest_column(name: str, header: Sequence[str]) -> str | None:
    """A hint where a column of the file looks like the one that is missing."""
    near = difflib.get_close_matches(name, header, n=1)
    return f"Is it {near[0]!r}?" if near else None


def place(path: Path, number: int, column: str | None = None) -> str:
    """Where a mistake is; the header is row 1."""
    return f"{path}, row {number}" + ("" if column is None else f", column {column!r}")


def finite(text: str) -> float | None:
    """A finite number; else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole(text: str) -> int | None:
    """A whole number, also as written by tables that hold gaps (``10.0``); else None."""
    value = finite(text)
    return int(value) if value is not None and value == int(value) else None


def few(path: Path, problems: list[Problem]) -> list[Problem]:
    """As many problems of a file as help, and how many more there are."""
    left = len(problems) - _SHOWN
    if left <= 0:
        return problems
    return [*problems[:_SHOWN], Problem(str(path), f"has {left} more mistakes.")]


def table_text(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows under some columns; what a row has besides is left out, what it lacks is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
