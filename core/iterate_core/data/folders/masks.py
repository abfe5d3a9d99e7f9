"""Masks beside images: a class of every pixel, or a quantity of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.images import ignored_of, read_mask, read_numbers
from iterate_core.data.convert.source import rarest_present
from iterate_core.data.folders.classes import mask_values
from iterate_core.data.folders.labels import task_of
from iterate_core.data.folders.options import FolderData
from iterate_core.data.folders.rasters import Raster, check_ground
from iterate_core.data.geobench_v2.resample import nearest
from iterate_core.data.target import Array, Form
from iterate_core.errors import DataError, Problem


class MaskLabels:
    """See `iterate_core.data.folders.samples.Labels`.

    Args:
        section: Of the recipe.
        masks: The file of each sample's mask.
    """

    form: Form = "mask"
    finer = 1

    def __init__(self, section: FolderData, masks: Sequence[Path]) -> None:
        self.task = task_of(section, self.form)
        self._values = mask_values(section.classes)
        self._values.check_ignored(section.ignore_index)
        self.classes = self._values.names
        self.ignore_index = self._values.ignored
        self.files: Collection[Path] = masks
        self._masks = masks
        self._section = section

    def read(self, index: int, image: Raster) -> Array:
        """A (height, width) mask of class indices on the image's grid."""
        path = self._masks[index]
        check_ground(path, image)
        mask = self._mask(path)
        if self._section.size is not None:
            mask = nearest(mask, image.size)
        if mask.shape != image.size:
            what = f"is {mask.shape} pixels, but {image.path} is {image.size}."
            raise DataError(Problem(str(path), what))
        if image.missing is not None and self._section.mask:
            mask = np.where(image.missing, np.array(self.ignore_index, mask.dtype), mask)
        return mask

    def strata(self) -> list[int]:
        """The rarest class that each sample holds; reads every mask."""
        classes = np.arange(len(self.classes))
        present = [np.isin(classes, self._mask(path)) for path in self._masks]
        return rarest_present(np.array(present))

    def _mask(self, path: Path) -> npt.NDArray[np.integer[Any]]:
        said = (self._section.ignore_index, ignored_of(path))
        ignored = [value for value in said if value is not None]
        return self._values.of_mask(read_mask(path), str(path), ignored)


class MapLabels:
    """Quantities of pixels, NaN where unknown; see `iterate_core.data.folders.samples.Labels`.

    Args:
        section: Of the recipe; its `classes` name the one quantity.
        masks: The file of each sample's quantities.
    """

    form: Form = "map"
    finer = 1
    ignore_index = 255

    def __init__(self, section: FolderData, masks: Sequence[Path]) -> None:
        self.task = task_of(section, self.form)
        names = tuple(section.classes or ())
        self.classes: tuple[str, ...] = (str(names[0]),) if len(names) == 1 else ("quantity",)
        self.files: Collection[Path] = masks
        self._masks = masks
        self._size = section.size

    def read(self, index: int, image: Raster) -> Array:
        """(height, width) float32, NaN where the file's nodata value stands."""
        path = self._masks[index]
        check_ground(path, image)
        values = read_numbers(path)
        if len(values) != 1:
            raise DataError(Problem(str(path), f"must have one band, but has {len(values)}."))
        plane: Array = values[0].astype(np.float32)
        nodata = ignored_of(path)
        if nodata is not None:
            plane[values[0] == nodata] = np.nan
        if self._size is not None:
            plane = nearest(plane, image.size)
        if image.missing is not None:
            plane = np.where(image.missing, np.float32(np.nan), plane)
        return plane

    def strata(self) -> list[int]:
        """All alike."""
        return [0] * len(self._masks)
