"""A scene of one or several files, as a model takes it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from rasterio.warp import transform as to_crs

from iterate_core.data.bands import key, match
from iterate_core.data.folders.rasters import coordinates
from iterate_core.data.loading.batch import Context
from iterate_core.engine.description import ModelDescription
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import fingerprint
from iterate_core.inference.scenes.addresses import scheme_of, shown
from iterate_core.inference.scenes.base import Piece, SceneFile, SceneRequest, told_of
from iterate_core.inference.scenes.grids import brought, finest
from iterate_core.inference.scenes.header import Header, header_of
from iterate_core.inference.scenes.matching import Named, Place, named, places, used_bands
from iterate_core.inference.scenes.mirrored import stretch
from iterate_core.inference.scenes.notes import notes_of
from iterate_core.inference.scenes.planes import Gaps, Pixels, Planes, Taken, Told
from iterate_core.inference.scenes.remote import version_of
from iterate_core.inference.scenes.stac import expanded
from iterate_core.inference.scenes.when import frames_of

_DEGREES = "EPSG:4326"


class RasterScene:
    """See `iterate_core.inference.scenes.base.Scene`.

    Args:
        request: What is asked for.
        description: Of the model.

    Raises:
        DataError: A file is damaged, lacks a band, is in a unit that does not convert, or the
            files do not fit together.
    """

    def __init__(self, request: SceneRequest, description: ModelDescription) -> None:
        self.name, self.source = request.name, request.source
        self._description = description
        with _naming(self.source):
            self._open(request, description)

    def _open(self, request: SceneRequest, description: ModelDescription) -> None:
        files, leading = expanded(request.files, description)
        self._files = tuple(files)
        headers = [header_of(file.path) for file in files]
        first = finest([header.grid for header in headers[:leading]])
        grid = headers[first].grid
        self.height, self.width = grid.height, grid.width
        self.crs, self.transform = grid.crs, grid.transform
        bands = [named(f, h, description) for f, h in zip(files, headers, strict=True)]
        _check_units(files, bands, description)
        frames, self._days = frames_of(files, description.info.frames, self.source)
        found = [places(description, bands, numbers, self.source) for numbers in frames]
        self._used = used_bands(description)
        grids = brought(headers, first)
        self._planes = {
            number: self._planes_of(files[number], headers[number], taken, grids[number])
            for number, taken in _taken(found, bands).items()
        }
        self._found = found
        self._fill = _fill(description)
        own = notes_of(self, description, headers, bands, self._planes, grids)
        self.notes = (*request.notes, *own)

    @property
    def days(self) -> tuple[tuple[int, int], ...] | None:
        """Year and day of the year of each frame; None where unknown."""
        return self._days

    def read(self, row: int, column: int, height: int, width: int) -> Piece:
        """See `iterate_core.inference.scenes.base.Scene.read`."""
        rows, columns = stretch(row, height, self.height), stretch(column, width, self.width)
        spans = (rows.start, rows.stop), (columns.start, columns.stop)
        with _naming(self.source):
            read = {number: planes.read(*spans) for number, planes in self._planes.items()}
        size = (rows.stop - rows.start, columns.stop - columns.start)
        pixels = np.empty((len(self._fill), len(self._found), *size), np.float32)
        valid = np.ones(size, np.bool_)
        for frame, bands in enumerate(self._found):
            for number, fill in enumerate(self._fill):
                if number not in bands:
                    pixels[number, frame] = fill
                    continue
                values, gaps = self._plane(read, number, bands[number])
                pixels[number, frame] = values
                if gaps.any():
                    pixels[number, frame][gaps] = fill
                    valid &= ~gaps
        inside = np.logical_and.outer(rows.inside, columns.inside)
        if not inside.all():
            across = np.ix_(rows.taken, columns.taken)
            pixels, valid = pixels[:, :, across[0], across[1]], valid[across] & inside
        return Piece(pixels if self._description.info.frames > 1 else pixels[:, 0], valid)

    def context(self, row: int, column: int, height: int, width: int) -> Context | None:
        """See `iterate_core.inference.scenes.base.Scene.context`."""
        place = self.place(row + height / 2, column + width / 2)
        if place is None and self._days is None:
            return None
        return Context(
            None if self._days is None else torch.tensor([self._days], dtype=torch.float32),
            None if place is None else torch.tensor([place], dtype=torch.float32),
        )

    def place(self, row: float, column: float) -> tuple[float, float] | None:
        """Latitude and longitude in degrees of a place in the image; None where it lies nowhere."""
        if self.crs is None:
            return None
        x, y = coordinates(self.transform, column, row)
        (longitude,), (latitude,) = to_crs(self.crs, _DEGREES, [x], [y])
        inside = abs(latitude) <= 90 and abs(longitude) <= 360
        return (latitude, longitude) if inside else None

    def fingerprint(self) -> str:
        """See `iterate_core.inference.scenes.base.Scene.fingerprint`."""
        told = [told_of(file) | {"path": shown(file.path)} for file in self._files]
        return fingerprint({"files": told, "content": [_version(f.path) for f in self._files]})

    def _plane(
        self, read: Mapping[int, tuple[Pixels, Gaps]], number: int, place: Place
    ) -> tuple[Pixels, Gaps]:
        """One of the model's bands at a date, (height, width), and where it lacks data."""
        taken = [(one.number, one.band) for one in self._planes[place.file].taken]
        index = taken.index((number, place.band))
        values, gaps = read[place.file]
        return values[index], gaps[index]

    def _planes_of(
        self, file: SceneFile, header: Header, taken: Sequence[Taken], grid: Any
    ) -> Planes:
        wanted = [self._description.bands[one.number] for one in taken]
        told = Told(file.unit, _nodata(file, header, self._description), file.scales)
        return Planes(header, taken, wanted, told, grid)


@contextmanager
def _naming(source: str) -> Iterator[None]:
    """What is wrong with one of a scene's files is told with the table or item that names it."""
    try:
        yield
    except DataError as error:
        known = {source, *source.split(", ")}
        named = [
            one if one.where in known else replace(one, where=f"{source}: {one.where}")
            for one in error.problems
        ]
        raise DataError(named, error.headline, error.advice) from None


def _taken(found: Sequence[dict[int, Place]], bands: Sequence[Named]) -> dict[int, list[Taken]]:
    """The bands that are taken of each file that any is taken of."""
    taken: dict[int, list[Taken]] = {}
    for frame in found:
        for number, place in frame.items():
            one = Taken(number, place.band, bands[place.file].names[place.band])
            mine = taken.setdefault(place.file, [])
            if one not in mine:
                mine.append(one)
    return dict(sorted(taken.items()))


def _check_units(
    files: Sequence[SceneFile], bands: Sequence[Named], description: ModelDescription
) -> None:
    """Refuse units of bands that there are not.

    Raises:
        DataError: There are any.
    """
    names = {key(name) for one in bands for name in one.names}
    for file, one in zip(files, bands, strict=True):
        for said in file.unit if isinstance(file.unit, Mapping) else ():
            if key(said) not in names and not match(said, description.bands):
                what = f"is given the unit of a band {said!r}, which neither it nor the model has."
                raise DataError(Problem(one.where, what, f"It has: {', '.join(one.names)}."))


def _nodata(file: SceneFile, header: Header, description: ModelDescription) -> Any:
    """What marks missing data: as a person says, else the file, else the recipe."""
    if file.nodata is not None:
        return file.nodata
    recipe = description.recipe["data"].get("nodata")
    if recipe == "none" or header.nodata is None:
        return recipe
    return None


def _fill(description: ModelDescription) -> list[float]:
    """What stands where a band lacks data: the recipe's number, else the band's mean."""
    fill = description.recipe["data"].get("fill")
    if isinstance(fill, int | float):
        return [float(fill)] * len(description.bands)
    return [mean if np.isfinite(mean) else 0.0 for mean in description.means]


def _version(path: str) -> list[Any]:
    if scheme_of(path) is not None:
        return version_of(path)
    try:
        state = os.stat(path)
    except OSError as error:
        raise DataError(Problem(path, f"cannot be read ({error.strerror}).")) from None
    return [os.path.realpath(path), state.st_size, state.st_mtime_ns]
