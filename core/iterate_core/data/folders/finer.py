"""Quantities on a finer grid than the images': a raster of them for each image."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from iterate_core.data.convert.images import ignored_of, names_in, open_image, read_numbers
from iterate_core.data.folders.labels import task_of
from iterate_core.data.folders.options import FolderData
from iterate_core.data.folders.rasters import Raster, check_ground
from iterate_core.data.target import Array, Form
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.plurals import counted


class FinerLabels:
    """Maps of quantities, NaN where unknown; see `iterate_core.data.folders.samples.Labels`.

    How many times finer they are is told by the first pair of files, and all others must agree.

    Args:
        section: Of the recipe; its `classes` name the files' bands where they are to have others.
        maps: The file of each sample's quantities.
        images: A file of each sample's images.

    Raises:
        RequestError: The recipe names other quantities than there are, or resizes images.
        DataError: The sides of the first file are no whole multiple of its image's.
    """

    form: Form = "maps"
    ignore_index = 255

    def __init__(self, section: FolderData, maps: Sequence[Path], images: Sequence[Path]) -> None:
        if section.size is not None:
            what = "resizes images, and with them the grid that targets are finer than."
            raise RequestError(Problem("data.size", what, "Bring the files to one size before."))
        self.task = task_of(section, self.form)
        self.files: Collection[Path] = maps
        self._maps = maps
        self.classes = _quantities(section, maps[0])
        self.finer = _times(maps[0], _size(maps[0]), images[0], _size(images[0]))

    def read(self, index: int, image: Raster) -> Array:
        """(quantities, height, width) float32, NaN where the file's nodata value stands."""
        path = self._maps[index]
        check_ground(path, image)
        values = read_numbers(path)
        if len(values) != len(self.classes):
            what = f"has {counted(len(values), 'band')}, not {', '.join(self.classes)}."
            raise DataError(Problem(str(path), what))
        height, width = values.shape[1:]
        times = _times(path, (height, width), image.path, image.size)
        if times != self.finer:
            what = f"is {times} times as fine as its image, but others are {self.finer} times."
            raise DataError(Problem(str(path), what))
        maps: Array = values.astype(np.float32)
        nodata = ignored_of(path)
        if nodata is not None:
            maps[values == nodata] = np.nan
        if image.missing is not None:
            maps[:, image.missing.repeat(times, axis=0).repeat(times, axis=1)] = np.nan
        return maps

    def strata(self) -> list[int]:
        """All alike."""
        return [0] * len(self._maps)


def _quantities(section: FolderData, path: Path) -> tuple[str, ...]:
    """The names of a file's bands, one a quantity."""
    with open_image(path) as file:
        count, names = file.count, names_in(file)
    if section.classes is not None:
        if isinstance(section.classes, dict) or len(section.classes) != count:
            what = f"must list the quantities of {path}, which has {counted(count, 'band')}."
            raise RequestError(Problem("data.classes", what))
        return section.classes
    if names is None and count > 1:
        what = f"does not say which quantities its {count} bands are."
        raise RequestError(Problem(str(path), what, "List them in data.classes."))
    return names or ("quantity",)


def _size(path: Path) -> tuple[int, int]:
    """(height, width) of a file, its pixels unread."""
    with open_image(path) as file:
        return file.height, file.width


def _times(path: Path, fine: tuple[int, int], image: Path, coarse: tuple[int, int]) -> int:
    """How many cells lie along the side of a pixel."""
    times = fine[0] // coarse[0]
    if times < 2 or fine != (coarse[0] * times, coarse[1] * times):
        what = f"is {fine[0]} × {fine[1]} cells for {coarse[0]} × {coarse[1]} pixels of {image}."
        raise DataError(Problem(str(path), what, "Both sides must be 2, 3, … times as many."))
    return times
