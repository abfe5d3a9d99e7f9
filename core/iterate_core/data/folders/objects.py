"""Objects that a table lists: boxes and their classes, as Hugging Face's image folders do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iterate_core.data.dataset import Boxes
from iterate_core.data.folders.classes import ClassValues, class_values, mask_values
from iterate_core.data.folders.options import FolderData
from iterate_core.data.folders.tables import Row
from iterate_core.errors import DataError, Problem, RequestError

COLUMN = "objects"
_CLASSES = ("categories", "category", "labels", "label")
_BOXES = "bbox"


def objects_of(
    section: FolderData, rows: Sequence[Row], table: Collection[Path]
) -> tuple[ClassValues, list[Boxes]]:
    """The classes, and of each image its objects.

    A cell is ``{"bbox": [[left, top, width, height], …], "categories": [0, …]}``, or a list of
    such mappings, one an object.

    Args:
        section: Of the recipe; its `label` names the column, where that is not ``objects``.
        rows: Of each sample.
        table: The files that the rows come from, for messages.

    Raises:
        RequestError: Boxes would have to be resized with their images.
        DataError: A cell is none.
    """
    if section.size is not None:
        what = f"cannot resize the boxes of {', '.join(path.name for path in table)}."
        raise RequestError(Problem("data.size", what, "data.tile crops and pads images and boxes."))
    cells = [_columns(row.cell(section.label or COLUMN, "data.label"), row) for row in rows]
    words = sorted({word for _, labels in cells for word in labels if isinstance(word, str)})
    values = class_values(section.classes, words) if words else mask_values(section.classes)
    return values, [
        Boxes(corners, np.array([values.of_word(w, row.where) for w in labels], dtype=np.int64))
        for (corners, labels), row in zip(cells, rows, strict=True)
    ]


def _columns(cell: Any, row: Row) -> tuple[Any, list[Any]]:
    """(objects, 4) left, top, right, bottom, and what says the class of each."""
    objects = cell if isinstance(cell, list) else [cell]
    boxes: list[Any] = []
    labels: list[Any] = []
    for one in objects:
        key = next((key for key in _CLASSES if key in one), None) if _is_some(one) else None
        if key is None:
            what = f"must list boxes under {_BOXES!r} and classes under {_CLASSES[0]!r}."
            raise DataError(Problem(row.where, f"{COLUMN} {what}"))
        several = isinstance(one[key], list)
        boxes += one[_BOXES] if several else [one[_BOXES]]
        labels += one[key] if several else [one[key]]
    try:
        corners = np.array(boxes, dtype=np.float32).reshape(len(labels), 4)
    except (TypeError, ValueError):
        what = (
            f"has {len(boxes)} boxes and {len(labels)} classes, or boxes that are not four numbers."
        )
        raise DataError(Problem(row.where, what)) from None
    corners[:, 2:] += corners[:, :2]
    return corners, labels


def _is_some(one: Any) -> bool:
    return isinstance(one, Mapping) and isinstance(one.get(_BOXES), list)
