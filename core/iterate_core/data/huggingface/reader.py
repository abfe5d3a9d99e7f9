"""Datasets of Hugging Face on disk, each row of whose tables is a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.images import names_in, open_encoded
from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.folders.reader import existing_folder
from iterate_core.data.huggingface.cells import content_of, is_image
from iterate_core.data.huggingface.columns import Columns
from iterate_core.data.huggingface.options import HuggingFaceData
from iterate_core.data.huggingface.tables import tables_in
from iterate_core.data.keyed.reader import Found, KeyedReader
from iterate_core.data.keyed.splits import drawn_splits
from iterate_core.errors import DataError, Problem
from iterate_core.storage.digests import hash_files


def open_tables(section: HuggingFaceData) -> KeyedReader:
    """Open a dataset of Hugging Face; see `iterate_core.data.dataset.Reader`.

    Raises:
        RequestError: The recipe does not say what must be said.
        DataError: A table is damaged, lacks a column, or a split is empty.
    """
    return KeyedReader(section, _Rows(section))


class _Rows:
    """See `iterate_core.data.keyed.reader.Samples`: a split and a number are a name."""

    def __init__(self, section: HuggingFaceData) -> None:
        self.images, self.stack = section.image_keys, section.stack
        self._root = existing_folder(section.root)
        self._tables = tables_in(self._root)
        self._columns = Columns(section, self._tables)
        self._held: tuple[tuple[int, int], Any] | None = None
        self._places = [
            (number, group, row)
            for number, table in enumerate(self._tables)
            for group, rows in enumerate(table.groups)
            for row in range(rows)
        ]
        self._rows: dict[str, int] = {}
        self.names: Mapping[Split, Sequence[str]]
        self.names, notes = self._divided(section)
        empty = [split for split in SPLITS if not self.names[split]]
        if empty:
            what = f"has no sample for {' and '.join(empty)}."
            raise DataError(Problem(str(self._root), what))
        self.found = Found(
            name=self._root.resolve().name,
            bands=self._bands(),
            classes=self._columns.classes,
            words=self._columns.words,
            notes=notes,
        )

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """See `Samples`."""
        row, folder = self._row(name)
        return self._columns.sample(row, folder, f"sample {name}")

    def about(self, name: str) -> tuple[None, None]:
        """Nothing is known of where and when."""
        del name
        return None, None

    def content(self) -> dict[str, Any]:
        """See `Samples`: all files, for a table may name images beside it."""
        files = sorted(path for path in self._root.rglob("*") if path.is_file())
        names = [path.relative_to(self._root).as_posix() for path in files]
        return {"files": hash_files(self._root, names)}

    def __getstate__(self) -> dict[str, Any]:
        """Another process reads the tables anew instead of receiving a copy of their rows."""
        return {**self.__dict__, "_held": None}

    def _row(self, name: str) -> tuple[Mapping[str, Any], Any]:
        """A sample's cells, and the folder of its table; the last group of rows is kept."""
        number, group, row = self._places[self._rows[name]]
        if self._held is None or self._held[0] != (number, group):
            self._held = (number, group), self._tables[number].group(group, self._columns.roots)
        (cells,) = self._held[1].slice(row, 1).to_pylist()
        return cells, self._tables[number].path.parent

    def _divided(
        self, section: HuggingFaceData
    ) -> tuple[dict[Split, Sequence[str]], tuple[str, ...]]:
        """The names of each split's samples; those that no file is of are drawn from training."""
        found: dict[Split, list[str]] = {}
        for index, (number, _, _) in enumerate(self._places):
            split = self._tables[number].split or "train"
            names = found.setdefault(split, [])
            names.append(f"{split}-{len(names)}")
            self._rows[names[-1]] = index
        lacking = [split for split in SPLITS if split not in found]
        if not lacking or "train" in lacking:
            return {split: found.get(split, []) for split in SPLITS}, ()
        splits = [split for split in SPLITS if split == "train" or split in lacking]
        names = found["train"]
        strata = self._strata(len(self._places))[[self._rows[name] for name in names]]
        drawn, note = drawn_splits(names, strata, splits, section.split.shares, section.split.seed)
        return {**found, **drawn}, (note,)

    def _strata(self, rows: int) -> npt.NDArray[np.int64]:
        """(rows,) the class of each, where each has one."""
        labels = self._columns.labels()
        return np.zeros(rows, dtype=np.int64) if labels is None else labels

    def _bands(self) -> tuple[str, ...] | None:
        """What the first image's file calls its bands, of samples of one image."""
        row, folder = self._row(self.names["train"][0])
        cell = row[self.images[0]]
        if len(self.images) > 1 or not is_image(cell):
            return None
        where = f"sample {self.names['train'][0]}"
        with open_encoded(content_of(cell, folder, where), where) as file:
            return names_in(file)
