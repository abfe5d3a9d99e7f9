"""From the files of a sample to one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from iterate_core.data.geobench_v2.datasets.schema import (
    Declaration,
    Files,
    Monthly,
    Raster,
    Series,
)
from iterate_core.data.geobench_v2.dates import day_of
from iterate_core.data.geobench_v2.files import Contents
from iterate_core.data.geobench_v2.frames import choose
from iterate_core.data.geobench_v2.leaves import geotiff_size, hdf5_size, read_geotiff, read_hdf5
from iterate_core.data.geobench_v2.resample import bilinear, nearest
from iterate_core.data.geobench_v2.tortilla import Item, content
from iterate_core.errors import DataError, Problem

Pixels = npt.NDArray[Any]
Frames = int | tuple[int, ...]
"""How many dates, or their numbers counted from 0."""


@dataclass(frozen=True)
class Image:
    """An assembled image.

    Attributes:
        pixels: (bands, frames, height, width) on the dataset's grid.
        dates: Year and day of the year of each frame; None where unknown.
        stored: (height, width) of the first file, before it was brought to the grid.
    """

    pixels: Pixels
    dates: tuple[tuple[int, int], ...] | None
    stored: tuple[int, int]


@dataclass(frozen=True)
class _Stack:
    """One raster: (channels, frames, height, width), and where pixels are missing."""

    pixels: Pixels
    missing: npt.NDArray[np.bool_]
    dates: tuple[tuple[int, int], ...] | None
    stored: tuple[int, int]


class ImageReader:
    """Assembles images as one declaration says.

    Args:
        declaration: Of the dataset.
        frames: Which dates to take.
        size: (height, width) of the grid that all files of a sample are brought to.
    """

    def __init__(self, declaration: Declaration, frames: Frames, size: tuple[int, int]) -> None:
        self._declaration = declaration
        self._frames = frames
        self._count = frames if isinstance(frames, int) else len(frames)
        self._size = size

    def read(self, handle: BinaryIO, contents: Contents, bands: Sequence[str]) -> Image:
        """The bands asked for, in that order; only the files that hold one of them are read.

        Missing pixels take their band's published mean, which is about 0 once normalised.

        Raises:
            DataError: A file is absent, damaged, or has other bands than declared.
        """
        stacks = {}
        places: dict[str, tuple[str, int]] = {}
        for raster in self._declaration.rasters:
            names = [band.name if band else None for band in raster.channels]
            wanted = {name: names.index(name) for name in bands if name in names}
            if wanted:
                stacks[raster.name] = self._stack(handle, contents, raster)
                places |= {name: (raster.name, channel) for name, channel in wanted.items()}
        invalid = self._invalid(handle, contents)
        kind = _common_type([stack.pixels.dtype for stack in stacks.values()])
        pixels = np.empty((len(bands), self._count, *self._size), kind)
        for row, name in zip(pixels, bands, strict=True):
            raster_name, channel = places[name]
            stack = stacks[raster_name]
            row[...] = stack.pixels[channel]
            row[stack.missing[channel] | invalid] = self._stand_in(name, kind)
        first = next(iter(stacks.values()))
        return Image(pixels, first.dates, first.stored)

    def _stack(self, handle: BinaryIO, contents: Contents, raster: Raster) -> _Stack:
        if raster.format == "HDF5":
            item = _required(contents, raster)
            where = f"{contents.where}, {item.name}"
            every = read_hdf5(content(handle, item), where, 4)
            chosen = self._choose(len(every), where)
            found: list[Pixels | None] = [every[number] for number in chosen]
            days = item.fields.get("dates")
            listed = list(days) if isinstance(days, list) and len(days) == len(every) else []
            dates = [day_of(listed[number]) for number in chosen if listed]
        else:
            items = contents.locate(raster.files)
            chosen = (
                (0,) * self._count  # what does not change with time stands at every date
                if self._timeless(raster)
                else self._choose(len(items), contents.where)
            )
            taken = [items[number] for number in chosen]
            read = {n: self._pixels(handle, contents, raster, items[n]) for n in set(chosen)}
            found = [read[number] for number in chosen]
            dates = [] if self._timeless(raster) else self._dates(taken, chosen, len(items))
        whole = tuple(day for day in dates if day is not None)
        return self._joined(found, raster, whole if len(whole) == self._count else None, contents)

    def _joined(
        self,
        found: Sequence[Pixels | None],
        raster: Raster,
        dates: tuple[tuple[int, int], ...] | None,
        contents: Contents,
    ) -> _Stack:
        """(channels, frames, …) on the grid; the missing pixels of a file stay so beside it."""
        count = len(raster.channels)
        absent = np.zeros((count, *self._size), raster.dtype)
        images, gaps = [], []
        stored = self._size
        for image in found:
            if image is None:
                images.append(absent)
                gaps.append(np.ones(absent.shape, dtype=np.bool_))
                continue
            if image.shape[0] != count:
                what = f"its {raster.name!r} has {image.shape[0]} bands, not {count}."
                raise DataError(Problem(contents.where, what))
            stored = (image.shape[1], image.shape[2])
            image = _signed(image) if raster.signed else image
            gap = _missing(image, raster.missing)
            images.append(bilinear(np.where(gap, 0, image).astype(image.dtype), self._size))
            gaps.append(nearest(gap, self._size))
        return _Stack(np.stack(images, axis=1), np.stack(gaps, axis=1), dates, stored)

    def _pixels(
        self, handle: BinaryIO, contents: Contents, raster: Raster, item: Item | None
    ) -> Pixels | None:
        if item is None:
            if not raster.optional:
                raise contents.lacks(f"of {raster.name!r}")
            return None
        where = f"{contents.where}, {item.name}"
        pixels = read_geotiff(
            content(handle, item), where, len(raster.channels), more=contents.proven
        )
        if not contents.proven:
            _check_size(item, (pixels.shape[1], pixels.shape[2]), where)
        return pixels

    def _choose(self, available: int, where: str) -> tuple[int, ...]:
        if isinstance(self._frames, tuple):
            if max(self._frames) < available:
                return self._frames
        elif self._count <= available:
            return choose(self._declaration.dates.choice, self._count, available)
        what = f"has {available} dates, but data.frames asks for {self._frames}."
        raise DataError(Problem(where, what, "Ask for fewer."))

    def _timeless(self, raster: Raster) -> bool:
        """Whether a dataset of several dates has one file of this kind for all of them."""
        fixed = isinstance(raster.files, Files) and len(raster.files.positions) == 1
        return fixed and raster.format == "GTiff" and self._declaration.dates.most != 1

    def _dates(
        self, taken: Sequence[Item | None], chosen: Sequence[int], available: int
    ) -> list[tuple[int, int] | None]:
        if self._declaration.dates.shared and set(chosen) != {available - 1}:
            return []
        return [day_of(item.fields.get("stac:time_start")) if item else None for item in taken]

    def _invalid(self, handle: BinaryIO, contents: Contents) -> npt.NDArray[np.bool_]:
        if self._declaration.valid is None:
            return np.zeros(self._size, dtype=np.bool_)
        item = contents.single(self._declaration.valid)
        where = f"{contents.where}, {item.name}"
        mask = read_geotiff(content(handle, item), where, 1, more=contents.proven)[0]
        return nearest(mask == 0, self._size)

    def _stand_in(self, band: str, kind: np.dtype[Any]) -> float:
        mean = self._declaration.statistics.get(band, (0.0, 1.0))[0]
        if kind.kind == "f":
            return mean
        limits = np.iinfo(kind)
        return min(max(round(mean), int(limits.min)), int(limits.max))


def stored_size(handle: BinaryIO, contents: Contents, raster: Raster) -> tuple[int, int]:
    """(height, width) of a raster's first file, without its pixels.

    Raises:
        DataError: It is absent or damaged.
    """
    item = _required(contents, raster)
    where = f"{contents.where}, {item.name}"
    if raster.format == "HDF5":
        return hdf5_size(content(handle, item), where, 4)
    size = geotiff_size(content(handle, item), where)
    if not contents.proven:
        _check_size(item, size, where)
    return size


def _check_size(item: Item, size: tuple[int, int], where: str) -> None:
    """Refuse a file that is not as large as its row in the table says."""
    told = item.fields.get("stac:raster_shape")
    if isinstance(told, list) and len(told) == 2 and tuple(told) != size:
        raise DataError(Problem(where, f"is {size} pixels, but the table says {tuple(told)}."))


def _required(contents: Contents, raster: Raster) -> Item:
    files: Files | Series | Monthly = raster.files
    found = next((item for item in contents.locate(files) if item is not None), None)
    if found is None:
        raise contents.lacks(f"of {raster.name!r}")
    return found


def _signed(image: Pixels) -> Pixels:
    """What was negative before it was written as unsigned 16-bit numbers is so again."""
    return image.view(np.int16) if image.dtype == np.uint16 else image


def _missing(image: Pixels, values: Sequence[float]) -> npt.NDArray[np.bool_]:
    gap = np.isin(image, values) if values else np.zeros(image.shape, dtype=np.bool_)
    return gap | np.isnan(image) if image.dtype.kind == "f" and values else gap


def _common_type(kinds: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """One type for all; whole numbers beside fractions become float32, as none has 24 bits."""
    fractions = [kind for kind in kinds if kind.kind == "f"]
    if fractions:
        return np.result_type(np.float32, *fractions)
    return np.result_type(*kinds)
