"""The tables of a dataset: Parquet files, or the Arrow files that ``save_to_disk`` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from iterate_core.data.convert.source import SPLIT_WORDS
from iterate_core.data.dataset import Split
from iterate_core.errors import DataError, Problem
from iterate_core.storage.limits import check_plain_file

_SUFFIXES = (".parquet", ".arrow")
_STEM = re.compile(r"([a-z]+)(?:[-_.]?\d.*)?")
_WORDS: dict[str, Split] = {**SPLIT_WORDS, "dev": "val", "eval": "test", "evaluation": "test"}
"""What Hugging Face's datasets call the splits."""


class Table:
    """One file, read a group of rows at a time.

    Args:
        path: The file.

    Attributes:
        schema: Of its columns.
        split: That its name or its folder's says; None where neither does.

    Raises:
        DataError: It is no such file.
    """

    def __init__(self, path: Path) -> None:
        check_plain_file(path)
        self.path = path
        self.split = _split_of(path.stem) or _split_of(path.parent.name)
        with _readable(path):
            if path.suffix == ".parquet":
                with pq.ParquetFile(path) as file:
                    self.schema: Any = file.schema_arrow
                    self.groups = [
                        file.metadata.row_group(number).num_rows
                        for number in range(file.metadata.num_row_groups)
                    ]
            else:
                table = _of_arrow(path)
                self.schema, self.groups = table.schema, [len(table)]

    def group(self, number: int, columns: Sequence[str] | None = None) -> Any:
        """A group of rows, as a `pyarrow.Table`; only some columns, if they are named."""
        with _readable(self.path):
            if self.path.suffix == ".parquet":
                with pq.ParquetFile(self.path) as file:
                    return file.read_row_group(number, columns=columns)
            table = _of_arrow(self.path)
            return table if columns is None else table.select(columns)

    def features(self) -> dict[str, Any]:
        """What Hugging Face says of each column; empty where it does not."""
        told = (self.schema.metadata or {}).get(b"huggingface", b"{}")
        try:
            found = json.loads(told)["info"]["features"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def tables_in(root: Path) -> list[Table]:
    """All tables below a folder, in the order of their names.

    Raises:
        DataError: There is none, one is damaged, or they have different columns.
    """
    paths = sorted(
        path
        for path in root.rglob("*")
        if path.suffix in _SUFFIXES and not path.name.startswith(("cache-", "."))
    )
    if not paths:
        hint = "For example data/train-00000-of-00001.parquet, or what save_to_disk wrote."
        raise DataError(Problem(str(root), "holds no .parquet or .arrow file.", hint))
    tables = [Table(path) for path in paths]
    for table in tables:
        if table.schema.names != tables[0].schema.names:
            what = f"has the columns {table.schema.names}, but {tables[0].path} has others."
            raise DataError(Problem(str(table.path), what, "data.root names one dataset's folder."))
    if any(table.split for table in tables) and not all(table.split for table in tables):
        unsaid = next(table.path for table in tables if table.split is None)
        what = "says no split in its name, but others do."
        raise DataError(
            Problem(str(unsaid), what, "train, validation or test, as in train-0.parquet.")
        )
    return tables


def _split_of(name: str) -> Split | None:
    found = _STEM.fullmatch(name.lower())
    return None if found is None else _WORDS.get(found[1])


def _of_arrow(path: Path) -> Any:
    """Arrow's stream, which is what ``save_to_disk`` writes; nothing is copied."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_stream(source).read_all()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What Arrow finds wrong with a file is a `DataError`."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(Problem(str(path), f"is no readable table ({error}).")) from None
