"""Images from arrays of any order of axes, several of which may make up one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.arrays.columns import Columns
from iterate_core.data.arrays.options import Axis, NpzData
from iterate_core.data.bands import describe, guess_unit
from iterate_core.data.npz import Header, load_arrays
from iterate_core.errors import DataError, Problem, RequestError

Array = npt.NDArray[Any]
_ORDER: tuple[Axis, ...] = ("bands", "dates", "height", "width")


class Images:
    """The samples' images; the file's pixels are read when the first is asked for.

    Args:
        section: Names the arrays, their axes and their bands.
        columns: The file.

    Attributes:
        bands: Of all arrays, one after another.
        size: (height, width) of an image.
        frames: Dates of an image.

    Raises:
        RequestError: There is no such array, or it has other axes, bands or dates than the recipe
            says.
    """

    def __init__(self, section: NpzData, columns: Columns) -> None:
        self._path = columns.path
        self._names = section.images
        headers = [columns.header(name, "data.images") for name in section.images]
        pairs = list(zip(section.images, headers, strict=True))
        self._axes = {name: _axes(name, header, section.axes) for name, header in pairs}
        for name, header in pairs:
            if header.shape[0] != columns.count or header.dtype.kind not in "uif":
                what = f"{name!r} is {header.dtype} {header.shape}, not numbers of each of "
                raise DataError(Problem(str(columns.path), f"{what}{columns.count} samples."))
        sizes = {name: self._sizes(name, header) for name, header in pairs}
        counts = [sizes[name]["bands"] for name, _ in pairs]
        _check_names(section.band_names, section.images, counts)
        kinds = [header.dtype for header, n in zip(headers, counts, strict=True) for _ in range(n)]
        named = zip(describe(section.band_names, section.sensor), kinds, strict=True)
        self.bands = tuple(replace(band, unit=guess_unit(band, kind)) for band, kind in named)
        self.size = _common_size(sizes)
        own = {name: sizes[name]["dates"] for name in sizes if "dates" in self._axes[name]}
        self.frames = _frames(own, section.frames)
        self.dates = next(iter(own.values()), 1)
        self._own_dates = own

    @property
    def taken(self) -> npt.NDArray[np.int64]:
        """Numbers of the dates that are taken of the first array that has any."""
        return _spread(self.dates, self.frames)

    def of(self, index: int, bands: Sequence[str]) -> Array:
        """A sample's image (bands, [frames,] height, width), its bands in the order asked for."""
        parts = [self._part(name, self._arrays[name][index]) for name in self._names]
        image = np.concatenate(parts) if len(parts) > 1 else parts[0]
        names = [band.name for band in self.bands]
        chosen: Array = image[[names.index(band) for band in bands]]
        return chosen if self.frames > 1 else chosen[:, 0]

    def __getstate__(self) -> dict[str, Any]:
        """Another process reads the file anew instead of receiving a copy of its pixels."""
        return {name: value for name, value in self.__dict__.items() if name != "_arrays"}

    @cached_property
    def _arrays(self) -> dict[str, Array]:
        return load_arrays(self._path, set(self._names))

    def _part(self, name: str, pixels: Array) -> Array:
        """(bands, frames, height, width) of one array of a sample."""
        axes = self._axes[name]
        full = np.expand_dims(pixels, tuple(range(len(axes), len(_ORDER))))
        lacking = [axis for axis in _ORDER if axis not in axes]
        ordered = full.transpose([[*axes, *lacking].index(axis) for axis in _ORDER])
        if name not in self._own_dates:
            return np.repeat(ordered, self.frames, axis=1)
        return ordered[:, _spread(self._own_dates[name], self.frames)]

    def _sizes(self, name: str, header: Header) -> dict[Axis, int]:
        given = dict(zip(self._axes[name], header.shape[1:], strict=True))
        return {axis: given.get(axis, 1) for axis in _ORDER}


def _axes(name: str, header: Header, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Of one array; it may be without dates."""
    still = tuple(axis for axis in axes if axis != "dates")
    for fitting in (axes, still):
        if len(header.shape) == 1 + len(fitting):
            return fitting
    what = f"{name!r} is {header.shape}, which is not one image of {', '.join(axes)} a sample."
    raise RequestError(Problem("data.axes", what))


def _check_names(names: Sequence[str], arrays: Sequence[str], counts: Sequence[int]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RequestError(Problem("data.band_names", f"names {twice!r} twice."))
    if len(names) != sum(counts):
        shown = " and ".join(f"{n} ({name})" for n, name in zip(counts, arrays, strict=True))
        what = f"names {len(names)} bands, but the images have {shown}."
        raise RequestError(Problem("data.band_names", what))


def _common_size(sizes: Mapping[str, Mapping[Axis, int]]) -> tuple[int, int]:
    found = {name: (size["height"], size["width"]) for name, size in sizes.items()}
    if len(set(found.values())) > 1:
        shown = " and ".join(f"{name!r} is {h}×{w}" for name, (h, w) in found.items())
        raise RequestError(Problem("data.images", f"must be of one size, but {shown}."))
    return next(iter(found.values()))


def _frames(dates: Mapping[str, int], asked: int | None) -> int:
    """How many dates an image has, of arrays of which each may have a number of its own."""
    shown = " and ".join(f"{name!r} has {count}" for name, count in dates.items())
    if asked is not None and asked > min(dates.values(), default=1):
        what = f"{asked} dates are more than there are: {shown or 'no array has any'}."
        raise RequestError(Problem("data.frames", what))
    if asked is None and len(set(dates.values())) > 1:
        what = f"must say how many dates to take: {shown}."
        raise RequestError(Problem("data.frames", what))
    return asked if asked is not None else next(iter(dates.values()), 1)


def _spread(dates: int, frames: int) -> npt.NDArray[np.int64]:
    """Numbers of dates, evenly spread: ⌊i · dates / frames⌋."""
    return np.arange(frames) * dates // frames
