"""From the files of a sample to its label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Boxes
from iterate_core.data.geobench_v2.datasets.schema import (
    ClassLabel,
    ClassLabels,
    Declaration,
    Files,
    JsonBoxes,
    Mask,
    Parcels,
    Quantity,
    TableBoxes,
)
from iterate_core.data.geobench_v2.files import Contents
from iterate_core.data.geobench_v2.leaves import read_geotiff, read_hdf5
from iterate_core.data.geobench_v2.objects import drawn, listed, parcels, tabled
from iterate_core.data.geobench_v2.resample import nearest
from iterate_core.data.geobench_v2.tortilla import content
from iterate_core.errors import DataError, Problem
from iterate_core.errors import nearest as nearest_name

Label = int | npt.NDArray[Any] | Boxes


@dataclass(frozen=True)
class TargetReader:
    """Reads labels as one declaration says.

    Attributes:
        declaration: Of the dataset.
        size: (height, width) of the grid that masks, maps and boxes are brought to.
    """

    declaration: Declaration
    size: tuple[int, int]

    def read(self, handle: BinaryIO, contents: Contents, stored: tuple[int, int]) -> Label:
        """The label of one sample, as `Sample.target` describes it.

        Args:
            handle: The open file.
            contents: The files of the sample.
            stored: (height, width) of its image as stored, in whose pixels boxes are given.

        Raises:
            DataError: It is absent, damaged, or not one of the dataset's classes.
        """
        target = self.declaration.target
        if isinstance(target, ClassLabel):
            return self._class(contents, target)
        if isinstance(target, ClassLabels):
            return self._classes(contents, target)
        if isinstance(target, Mask):
            return self._mask(handle, contents, target)
        if isinstance(target, Quantity):
            return self._quantity(handle, contents, target)
        return self._objects(handle, contents, target, stored)

    def _class(self, contents: Contents, target: ClassLabel) -> int:
        value = _column(contents, target.column)
        if isinstance(value, str):
            return self._index(value, contents.where)
        if type(value) is not int or not 0 <= value < len(self.declaration.classes):
            what = (
                f"has the label {value!r}, but there are {len(self.declaration.classes)} classes."
            )
            raise DataError(Problem(contents.where, what))
        return value

    def _classes(self, contents: Contents, target: ClassLabels) -> npt.NDArray[np.uint8]:
        names = _column(contents, target.column)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            what = f"must list class names in the column {target.column!r}, but has {names!r}."
            raise DataError(Problem(contents.where, what))
        vector = np.zeros(len(self.declaration.classes), dtype=np.uint8)
        vector[[self._index(name, contents.where) for name in names]] = 1
        return vector

    def _index(self, name: str, where: str) -> int:
        classes = self.declaration.classes
        if name not in classes:
            hint = nearest_name(name, classes)
            raise DataError(Problem(where, f"has the label {name!r}, which is no class.", hint))
        return classes.index(name)

    def _mask(
        self, handle: BinaryIO, contents: Contents, target: Mask
    ) -> npt.NDArray[np.integer[Any]]:
        layers = 3 if target.format == "HDF5" else None
        stored = _array(handle, contents, target.files, layers)
        return nearest(_translated(stored, target.values, contents.where), self.size)

    def _quantity(
        self, handle: BinaryIO, contents: Contents, target: Quantity
    ) -> npt.NDArray[np.float32]:
        values = _array(handle, contents, target.files, None).astype(np.float32) / target.divisor
        values[~np.isfinite(values)] = np.nan
        return nearest(values.astype(np.float32), self.size)

    def _objects(
        self,
        handle: BinaryIO,
        contents: Contents,
        target: TableBoxes | JsonBoxes | Parcels,
        stored: tuple[int, int],
    ) -> Boxes:
        if isinstance(target, Parcels):
            numbers = _array(handle, contents, target.numbers, 2)
            classes = _array(handle, contents, target.classes, 3)
            found, where = parcels(numbers, classes, contents.where), contents.where
        else:
            item = contents.single(target.files)
            raw, where = content(handle, item), f"{contents.where}, {item.name}"
            if isinstance(target, TableBoxes):
                found = tabled(raw, where, target.names, target.unnamed, stored)
            else:
                found = (drawn if target.outlined else listed)(raw, where, target.key, stored)
        return found.boxes(self.declaration, self.size, where)


def _column(contents: Contents, column: str) -> Any:
    """What all rows of a sample say in a column.

    Raises:
        DataError: They do not agree, or none says anything.
    """
    found = [item.fields[column] for item in contents.items if item.fields.get(column) is not None]
    if not found or any(value != found[0] for value in found):
        what = "has no label" if not found else f"has different labels {found}"
        raise DataError(Problem(contents.where, f"{what} in the column {column!r}."))
    return found[0]


def _array(
    handle: BinaryIO, contents: Contents, files: Files, dimensions: int | None
) -> npt.NDArray[Any]:
    """A (height, width) label: of a GeoTIFF with one band, else the first layer of an array."""
    item = contents.single(files)
    raw, where = content(handle, item), f"{contents.where}, {item.name}"
    if dimensions is None:
        band: npt.NDArray[Any] = read_geotiff(raw, where, 1, more=contents.proven)[0]
        return band
    array = read_hdf5(raw, where, dimensions)
    layer: npt.NDArray[Any] = array[0] if dimensions == 3 else array
    return layer


def _translated(
    stored: npt.NDArray[Any], values: Mapping[int, int], where: str
) -> npt.NDArray[np.integer[Any]]:
    """Stored values as class indices."""
    found, places = np.unique(stored, return_inverse=True)
    strange = [value for value in found.tolist() if value not in values or math.isnan(value)]
    if strange:
        what = f"its mask has the values {strange[:5]}, but only {sorted(values)} mean something."
        raise DataError(Problem(where, what))
    indices: npt.NDArray[np.uint8] = np.array(
        [values[value] for value in found.tolist()], dtype=np.uint8
    )
    translated: npt.NDArray[np.uint8] = indices[places].reshape(stored.shape)
    return translated
