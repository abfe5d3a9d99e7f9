"""What stands in the cells of a table, as arrays: images, labels and objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.images import open_encoded
from iterate_core.data.convert.palettes import expanded, has_palette
from iterate_core.errors import DataError, Problem
from iterate_core.storage.limits import check_plain_file
from iterate_core.storage.names import is_inside

Array = npt.NDArray[Any]


def names_of(features: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    """The class names of a column, or of a part of it (``objects.category``); None if it has none.

    Lists of labels and of objects are looked into, however Hugging Face's versions write them.
    """
    told: Any = features
    for part in key.split("."):
        told = _inside(told)
        told = told.get(part) if isinstance(told, Mapping) else None
    told = _inside(told)
    names = told.get("names") if isinstance(told, Mapping) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def value_at(row: Mapping[str, Any], key: str) -> Any:
    """A cell, or a part of it; of a list of objects, that part of each.

    Raises:
        KeyError: There is none.
    """
    value: Any = row
    for part in key.split("."):
        value = [one[part] for one in value] if isinstance(value, list) else value[part]
    return value


def is_image(cell: Any) -> bool:
    """Whether a cell holds the bytes or the path of an image."""
    return isinstance(cell, bytes) or (isinstance(cell, Mapping) and {"bytes", "path"} <= {*cell})


def image_in(cell: Any, folder: Path, where: str, *, label: bool) -> Array:
    """(bands, height, width) of an image.

    Args:
        cell: Bytes, or a mapping with ``bytes`` and ``path``.
        folder: That paths are below.
        where: For messages.
        label: Whether it is a mask: a palette's numbers stay as they are.

    Raises:
        DataError: There is no image, or it is damaged, or a mask that may not hold what was saved.
    """
    with open_encoded(content_of(cell, folder, where), where) as file:
        if label and file.driver == "JPEG":
            what = "has a mask that is a JPEG, whose compression changes the labels."
            raise DataError(Problem(where, what))
        pixels: Array = file.read()
        return expanded(pixels[0], file, where) if has_palette(file) and not label else pixels


def content_of(cell: Any, folder: Path, where: str) -> bytes:
    """The bytes of an image's file.

    Raises:
        DataError: There are none, and no file either.
    """
    content, path = (cell, None) if isinstance(cell, bytes) else (cell["bytes"], cell["path"])
    if content is not None:
        return bytes(content)
    file = folder / (path or "")
    if not path or not is_inside(path) or not file.is_file():
        raise DataError(
            Problem(where, f"has no bytes of its image, and there is no file {path!r}.")
        )
    check_plain_file(file)
    return file.read_bytes()


def _inside(told: Any) -> Any:
    """What a list's elements are."""
    while True:
        if isinstance(told, list) and len(told) == 1:
            told = told[0]
        elif isinstance(told, Mapping) and isinstance(told.get("feature"), Mapping | list):
            told = told["feature"]
        else:
            return told


def indicators(labels: Any, names: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    """(classes,) of 0 and 1, from the numbers or names of the classes that there are."""
    found = np.zeros(len(names), np.uint8)
    for label in labels:
        found[names.index(label) if isinstance(label, str) else int(label)] = 1
    return found
