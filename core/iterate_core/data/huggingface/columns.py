"""Which columns of a dataset's tables are its images and targets, and a row as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from iterate_core.data.huggingface.cells import (
    image_in,
    indicators,
    is_image,
    names_of,
    value_at,
)
from iterate_core.data.huggingface.options import HuggingFaceData
from iterate_core.data.huggingface.tables import Table
from iterate_core.data.target import Form, target_class
from iterate_core.errors import DataError, Problem

_TARGETS: dict[Form, tuple[str, ...]] = {
    "mask": ("mask", "annotation", "segmentation_mask", "label"),
    "map": ("mask", "annotation", "label"),
    "objects": ("objects.bbox",),
}
_LABELS = ("label", "labels")
_CATEGORIES = ("objects.category", "objects.categories", "objects.label")
"""What columns are called in Hugging Face's guides; the first that is there counts."""


class Columns:
    """The columns that samples are made of.

    Args:
        section: Of the recipe.
        tables: Of the dataset.

    Attributes:
        roots: Names of the columns that are read.
        classes: Names of the classes, where the dataset tells them.
        words: Whether labels are these names, instead of their numbers.

    Raises:
        DataError: There is no such column.
    """

    def __init__(self, section: HuggingFaceData, tables: Sequence[Table]) -> None:
        self._tables, self._section = tables, section
        self._form = target_class(section.task).form
        asked, usual = section.target_key, _TARGETS.get(self._form, _LABELS)
        self._target = self._found(asked, usual, "data.target_key")
        self._labels = self._target
        if self._form == "objects":
            self._labels = self._found(section.label_key, _CATEGORIES, "data.label_key")
        keys = [*section.image_keys, self._target, self._labels]
        keys += [section.mask_key] if section.mask_key is not None else []
        for key in keys:
            self._found(key, (), "data.image_keys")
        self.roots = sorted({key.partition(".")[0] for key in keys})
        self.classes = names_of(tables[0].features(), self._labels)
        self.words = self.classes is None and self._are_words()
        if self.words:
            self.classes = tuple(sorted(set(_flat(self._cells()))))

    def sample(self, row: Mapping[str, Any], folder: Path, where: str) -> dict[str, Any]:
        """A row as arrays, under the keys that the recipe names or those of TorchGeo.

        Args:
            row: Its cells.
            folder: That paths are below.
            where: For messages.

        Raises:
            DataError: An image is absent or damaged.
        """
        found = {
            key: self._array(value_at(row, key), folder, where) for key in self._section.image_keys
        }
        cell = value_at(row, self._target)
        if self._form == "objects":
            found[self._section.target_key or "bbox_xyxy"] = self._boxes(cell)
            found[self._section.label_key or "label"] = np.asarray(value_at(row, self._labels))
            if self._section.mask_key is not None:
                masks = value_at(row, self._section.mask_key)
                arrays = [self._array(one, folder, where, label=True) for one in masks]
                found[self._section.mask_key] = np.array([one.squeeze() for one in arrays])
            return found
        key = self._section.target_key or ("label" if self._target in _LABELS else "mask")
        if self._form == "indicators" and self.classes is not None:
            found[key] = indicators(cell, self.classes)
        else:
            found[key] = self._array(cell, folder, where, label=True)
        return found

    def labels(self) -> npt.NDArray[np.int64] | None:
        """(rows,) the class of each row; None where it has several, or none."""
        if self._form != "index":
            return None
        return np.unique(np.array(self._cells()), return_inverse=True)[1].astype(np.int64)

    def _array(self, cell: Any, folder: Path, where: str, *, label: bool = False) -> Any:
        """An image, or whatever numbers stand in a cell."""
        if is_image(cell):
            return image_in(cell, folder, where, label=label)
        return np.asarray(cell)

    def _boxes(self, cell: Any) -> npt.NDArray[np.float32]:
        """(objects, 4) left, top, right, bottom."""
        boxes = np.asarray(cell, dtype=np.float32).reshape(-1, 4)
        if self._section.boxes == "xywh":
            boxes[:, 2:] += boxes[:, :2]
        return boxes

    def _found(self, key: str | None, usual: Sequence[str], option: str) -> str:
        """The key that is asked for, or the first of the usual ones whose column there is."""
        names = self._tables[0].schema.names
        keys = usual if key is None else (key,)
        for each in keys:
            if each.partition(".")[0] in names and self._type(each) is not None:
                return each
        what = f"has no column {' or '.join(map(repr, keys))}; it has {', '.join(names)}."
        raise DataError(Problem(str(self._tables[0].path), what, f"{option} names it."))

    def _type(self, key: str) -> Any:
        """Arrow's type of a column or of a part of it, in lists too; None where there is none."""
        root, *parts = key.split(".")
        kind = self._tables[0].schema.field(root).type
        for part in parts:
            kind = _element(kind)
            if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
                return None
            kind = kind.field(part).type
        return kind

    def _are_words(self) -> bool:
        kind = _element(self._type(self._labels))
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))

    def _cells(self) -> list[Any]:
        """The cells of the column of labels, of all rows."""
        root = self._labels.partition(".")[0]
        return [
            value_at(row, self._labels)
            for table in self._tables
            for number in range(len(table.groups))
            for row in table.group(number, [root]).to_pylist()
        ]


def _element(kind: Any) -> Any:
    """The type of a list's elements; of what is no list, its own."""
    while (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ):
        kind = kind.value_type
    return kind


def _flat(cells: Sequence[Any]) -> list[str]:
    return [word for cell in cells for word in (_flat(cell) if isinstance(cell, list) else [cell])]
