"""The small arrays of an .npz file, one value or a few of each sample, as a recipe names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.npz import Header, load_arrays, read_headers
from iterate_core.errors import DataError, Problem, RequestError, nearest

Array = npt.NDArray[Any]


class Columns:
    """Arrays that have a row for each sample.

    Args:
        path: The file.
        images: The arrays of pixels; the first tells how many samples there are.

    Attributes:
        count: How many samples there are.

    Raises:
        DataError: The file is absent, damaged or foreign, or has no samples.
        RequestError: It has no such array.
    """

    def __init__(self, path: Path, images: Sequence[str]) -> None:
        self.path = path
        self._headers = read_headers(path)
        self.count = next(iter(self.header(images[0], "data.images").shape), 0)
        if not self.count:
            raise DataError(Problem(str(path), f"{images[0]!r} holds no samples."))

    def header(self, name: str, where: str) -> Header:
        """What the file declares of an array.

        Args:
            name: Of the array.
            where: The option that names it, for messages.
        """
        if name not in self._headers:
            hint = nearest(name, self._headers) or f"It has {', '.join(self._headers)}."
            raise RequestError(Problem(where, f"{self.path} has no array {name!r}.", hint))
        return self._headers[name]

    def read(self, name: str, where: str) -> Array:
        """An array with one row a sample.

        Args:
            name: Of the array.
            where: The option that names it, for messages.

        Raises:
            RequestError: There is none of that name.
            DataError: It has another number of rows.
        """
        shape = self.header(name, where).shape
        if not shape or shape[0] != self.count:
            what = f"{name!r} is {shape}, but there are {self.count} samples."
            raise DataError(Problem(str(self.path), what, f"It is named in {where}."))
        return load_arrays(self.path, {name})[name]

    def read_values(self, name: str, where: str) -> Array:
        """As `read`, of an array with one value a sample.

        Raises:
            DataError: It has several.
        """
        values = self.read(name, where)
        if values.ndim != 1:
            what = f"{name!r} has {values.shape[1:]} values a sample, of which {where} takes one."
            raise DataError(Problem(str(self.path), what))
        return values

    def names(self, asked: str | None) -> tuple[str, ...]:
        """The samples' identifiers, numbered from 0 where no array tells them.

        Raises:
            DataError: Two samples have the same.
        """
        if asked is None:
            return tuple(map(str, range(self.count)))
        names = [str(name) for name in self.read_values(asked, "data.names")]
        found, often = np.unique(names, return_counts=True)
        if (often > 1).any():
            twice = str(found[often.argmax()])
            what = f"{asked!r} gives the name {twice!r} to {often.max()} samples."
            raise DataError(Problem(str(self.path), what, "Leave data.names out to number them."))
        return tuple(names)

    def places(self, asked: str) -> npt.NDArray[np.float64]:
        """(samples, 2) latitudes and longitudes in degrees, NaN where unknown.

        Raises:
            DataError: The array has another shape, or no numbers.
        """
        places = self.read(asked, "data.places")
        if places.shape[1:] != (2,) or places.dtype.kind not in "uif":
            what = f"{asked!r} is {places.dtype} {places.shape}, not a latitude and a longitude"
            raise DataError(Problem(str(self.path), f"{what} for each sample."))
        return places.astype(np.float64)
