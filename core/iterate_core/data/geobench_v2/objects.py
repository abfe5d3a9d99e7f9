"""Objects of a sample: from tables, JSON lists, polygons and arrays of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from iterate_core.data.dataset import Boxes
from iterate_core.data.geobench_v2.datasets.schema import Declaration
from iterate_core.data.geobench_v2.leaves import read_annotation, read_columns
from iterate_core.data.geobench_v2.resample import nearest
from iterate_core.errors import DataError, Problem

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Objects:
    """The objects of an image as stored.

    Attributes:
        corners: Left, top, right, bottom of each, in pixels of the stored image.
        labels: Class index of each.
        masks: (objects, height, width) of 0 and 1, or None.
        stored: (height, width) of the stored image.
    """

    corners: Sequence[Sequence[float]]
    labels: Sequence[int]
    masks: npt.NDArray[np.uint8] | None
    stored: tuple[int, int]

    def boxes(self, declaration: Declaration, size: tuple[int, int], where: str) -> Boxes:
        """Brought to a grid of this size.

        Raises:
            DataError: A box lies outside the image, or a label is no class.
        """
        height, width = self.stored
        corners = np.array(self.corners, dtype=np.float64).reshape(-1, 4)
        labels = np.array(self.labels, dtype=np.int64)
        for box, label in zip(corners.tolist(), self.labels, strict=True):
            if not _inside(box, width, height):
                raise DataError(Problem(where, f"has the box {box}, outside its image."))
            if not 0 <= label < len(declaration.classes):
                what = f"has the label {label}, but there are {len(declaration.classes)} classes."
                raise DataError(Problem(where, what))
        scale = np.array([size[1] / width, size[0] / height] * 2)
        masks = None if self.masks is None else nearest(self.masks, size)
        return Boxes((corners * scale).astype(np.float32), labels, masks)


def tabled(
    raw: bytes, where: str, names: Mapping[str, int], unnamed: int, stored: tuple[int, int]
) -> Objects:
    """Objects of a GeoParquet table.

    Raises:
        DataError: It is damaged, or names a class that there is not.
    """
    columns = read_columns(raw, where, (*_CORNERS, "label"))
    strange = [name for name in columns["label"] if name is not None and name not in names]
    if strange:
        hint = f"Known: {', '.join(names)}."
        raise DataError(Problem(where, f"has an object {strange[0]!r}, which is no class.", hint))
    labels = [unnamed if name is None else names[name] for name in columns["label"]]
    corners = [_numbers(box, where) for box in zip(*(columns[c] for c in _CORNERS), strict=True)]
    return Objects(corners, labels, None, stored)


def listed(raw: bytes, where: str, key: str, stored: tuple[int, int]) -> Objects:
    """Boxes of a JSON list.

    Raises:
        DataError: It is damaged, or an entry is no object.
    """
    entries = _entries(raw, where, key)
    corners = [_corners(entry, where) for entry in entries]
    return Objects(corners, [_category(entry, where) for entry in entries], None, stored)


def drawn(raw: bytes, where: str, key: str, stored: tuple[int, int]) -> Objects:
    """Boxes and polygons of a JSON list; polygons are filled with their outline, as PIL draws them.

    Raises:
        DataError: It is damaged, or an entry is no object.
    """
    entries = _entries(raw, where, key)
    found = listed(raw, where, key, stored)
    masks = np.zeros((len(entries), *stored), dtype=np.uint8)
    for mask, entry in zip(masks, entries, strict=True):
        polygons = entry.get("mask")
        if not isinstance(polygons, list) or not all(isinstance(p, list) for p in polygons):
            raise DataError(Problem(where, "has an object whose 'mask' is no list of polygons."))
        for polygon in polygons:
            mask |= _filled(_numbers(polygon, where), stored, where)
    return Objects(found.corners, found.labels, masks, stored)


def parcels(numbers: npt.NDArray[Any], classes: npt.NDArray[Any], where: str) -> Objects:
    """Objects of an array of numbers; the class of one is the lowest among its pixels.

    A box reaches from an object's first to its last row and column, and is at least one pixel
    wide and high, as in the reference loader.

    Raises:
        DataError: The two arrays differ in size.
    """
    if numbers.shape != classes.shape or numbers.dtype.kind not in "iu":
        what = f"numbers its objects in {numbers.dtype} {numbers.shape}, classes {classes.shape}."
        raise DataError(Problem(where, what))
    found = [number for number in np.unique(numbers).tolist() if number != 0]
    masks = np.zeros((len(found), *numbers.shape), dtype=np.uint8)
    corners, labels = [], []
    for mask, number in zip(masks, found, strict=True):
        inside = numbers == number
        rows, columns = np.nonzero(inside)
        left, right = int(columns.min()), int(columns.max())
        top, bottom = int(rows.min()), int(rows.max())
        corners.append((left, top, max(right, left + 1), max(bottom, top + 1)))
        labels.append(int(classes[inside].min()))
        mask[...] = inside
    height, width = numbers.shape
    return Objects(corners, labels, masks, (height, width))


def _entries(raw: bytes, where: str, key: str) -> list[dict[str, Any]]:
    entries = read_annotation(raw, where).get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(Problem(where, f"must list its objects under {key!r}."))
    return entries


def _corners(entry: Mapping[str, Any], where: str) -> tuple[float, float, float, float]:
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise DataError(Problem(where, f"has the box {box!r}, not four numbers."))
    left, top, width, height = _numbers(box, where)
    return left, top, left + width, top + height


def _category(entry: Mapping[str, Any], where: str) -> int:
    """A class index above 0, which is the background."""
    found = entry.get("category_id")
    if type(found) is not int or found < 1:
        raise DataError(
            Problem(where, f"has an object of category {found!r}, not a number from 1.")
        )
    return found


def _numbers(values: Sequence[Any], where: str) -> list[float]:
    whole = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not whole or not all(math.isfinite(value) for value in values):
        raise DataError(Problem(where, f"has {values!r} where numbers must be."))
    return [float(value) for value in values]


def _filled(polygon: Sequence[float], stored: tuple[int, int], where: str) -> npt.NDArray[np.uint8]:
    if len(polygon) < 4 or len(polygon) % 2:
        raise DataError(Problem(where, f"has a polygon of {len(polygon)} numbers."))
    canvas = Image.new("L", (stored[1], stored[0]), 0)
    ImageDraw.Draw(canvas).polygon(list(zip(polygon[::2], polygon[1::2], strict=True)), fill=1)
    return np.asarray(canvas, dtype=np.uint8)


def _inside(box: Sequence[float], width: int, height: int) -> bool:
    """Whether a box is in order and touches the image."""
    left, top, right, bottom = box
    return (
        left <= right
        and top <= bottom
        and left <= width
        and top <= height
        and (right >= 0 and bottom >= 0)
    )
