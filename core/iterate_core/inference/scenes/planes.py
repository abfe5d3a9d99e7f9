"""The bands of one file that a model takes: read by windows, converted, gaps told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rasterio.windows import Window

from iterate_core.data.convert.missing import MARKS
from iterate_core.data.dataset import Band
from iterate_core.data.loading.scaling import Scaling
from iterate_core.data.units import Channel
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.addresses import scheme_of
from iterate_core.inference.scenes.base import NoData, Units
from iterate_core.inference.scenes.doubts import Beyond, beyond, zeros
from iterate_core.inference.scenes.header import Header
from iterate_core.inference.scenes.measures import (
    Measure,
    Stored,
    Values,
    affine,
    channel_of,
    measure,
    said_of,
)
from iterate_core.inference.scenes.opening import Grid, Handle, telling

Pixels = npt.NDArray[np.float32]
Gaps = npt.NDArray[np.bool_]

_LOOKED_AT = 128  # rows and columns of each place in a file whose numbers tell its units
_PLACES = 3  # of them along each side
_SMALL = 2048  # rows and columns of a file that is soon read whole


@dataclass(frozen=True)
class Taken:
    """A band that is taken from a file.

    Attributes:
        number: Of the model's band.
        band: Of the file, from 0.
        name: What the file calls it.
    """

    number: int
    band: int
    name: str


@dataclass(frozen=True)
class Told:
    """What a person, a table or a recipe says of a file."""

    unit: Units | None
    nodata: NoData | None
    scales: tuple[tuple[float, float], ...] | None


class Planes:
    """The bands of a file that a model takes.

    Args:
        header: Of the file.
        taken: The bands.
        wanted: What the model takes for each.
        told: What is said of the file.
        grid: Of the scene, where that is not the file's.

    Attributes:
        measures: How the numbers of each band are understood.
        zeros: Part of its pixels that is 0 in every band, where nothing says what lacks data.
        beyond: Bands whose numbers are hardly in the unit that is said.

    Raises:
        DataError: A band is in a unit that does not convert, or holds numbers that mark missing
            data and are not declared.
    """

    def __init__(
        self,
        header: Header,
        taken: Sequence[Taken],
        wanted: Sequence[Band],
        told: Told,
        grid: Grid | None,
    ) -> None:
        self.header, self.taken = header, tuple(taken)
        self.zeros: float
        self.beyond: tuple[Beyond, ...]
        self._mark = _mark(header, told.nodata)
        self._real = told.nodata == "none"
        palette = header.palette is not None
        self._own = Handle(header.path, None, None)
        self._handle = self._own
        if grid is not None:
            blended = _blended(header, self._mark)
            self._handle = Handle(header.path, grid, blended, nearest=palette)
        self._warped = grid is not None
        stored = [
            Stored(
                where=header.where,
                name=one.name,
                wanted=band,
                kind=header.kinds[one.band],
                scale=(told.scales or header.scales)[one.band],
                word=header.units[one.band],
                said=said_of(told.unit, band, one.name),
                values=partial(self._values, index),
            )
            for index, (one, band) in enumerate(zip(taken, wanted, strict=True))
        ]
        self.measures = tuple(measure(one) for one in stored)
        pairs = list(zip(stored, self.measures, strict=True))
        channels = [channel_of(one, how, index) for index, (one, how) in enumerate(pairs)]
        self._steps = _steps(channels, self.measures)
        self._channels = tuple(channel for channel, _ in self._steps)
        self.zeros, self.beyond = 0.0, ()
        if scheme_of(header.path) is None or "_some" in self.__dict__:
            told_of = enumerate(zip(taken, self.measures, strict=True))
            found = (beyond(one.name, how, self._values(index)) for index, (one, how) in told_of)
            self.beyond = tuple(one for one in found if one is not None)
            declared = self._mark is not None or self._real or header.masked or palette
            self.zeros = 0.0 if declared else zeros(*self._spread(), wanted)
        self.__dict__.pop("_some", None)  # looked at once, and not kept

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Pixels, Gaps]:
        """Rows and columns of the scene, each from the first to one after the last.

        Returns:
            (bands, height, width) in the model's units, and where they lack data; what stands
            there is any number.

        Raises:
            DataError: The file is damaged there, or cannot be reached.
        """
        with telling(self.header.path):
            raw, gaps = self._raw(self._handle, Window.from_slices(rows, columns))
        pixels = raw.astype(np.float32)
        for index, (_, (gain, offset)) in enumerate(self._steps):
            if (gain, offset) != (1.0, 0.0):
                pixels[index] = pixels[index] * np.float32(gain) + np.float32(offset)
        if any(channel != Channel(index) for index, channel in enumerate(self._channels)):
            scaling = Scaling(self._channels, (pixels.shape[1], pixels.shape[2]))
            pixels = np.ascontiguousarray(scaling.apply(torch.from_numpy(pixels)[None])[0].numpy())
        gaps |= ~np.isfinite(pixels)
        return pixels, gaps

    def _raw(
        self, handle: Handle, window: Window, shape: tuple[int, int] | None = None
    ) -> tuple[npt.NDArray[Any], Gaps]:
        """(bands, height, width) as stored, and where they lack data."""
        file = handle.file()
        header, bands = self.header, [one.band for one in self.taken]
        if header.palette is not None:
            numbers = file.read(1, window=window, out_shape=shape)
            colours = header.palette[np.minimum(numbers, len(header.palette) - 1)]
            seen: Gaps = np.broadcast_to(colours[..., 3] > 0, (len(bands), *numbers.shape))
            if self._mark is not None:
                seen = seen & (numbers != self._mark)
            if self._warped:
                seen = seen & (file.dataset_mask(window=window) > 0)
            return np.moveaxis(colours, -1, 0)[bands], ~seen
        indexes = [band + 1 for band in bands]
        size = None if shape is None else (len(bands), *shape)
        kind = np.result_type(*(header.kinds[band] for band in bands))
        raw = file.read(indexes, window=window, out_shape=size, out_dtype=kind)
        gaps = np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, np.bool_)
        if self._mark is not None:
            gaps |= raw == self._mark
        if (header.masked and not self._real) or (handle is not self._own):
            gaps |= file.read_masks(indexes, window=window, out_shape=size) == 0
        return raw, gaps

    def _values(self, index: int) -> Values | None:
        """Of a band's numbers at some places of the file; physical ones where a tag says how."""
        raw, gaps = self._some
        there = raw[index][~gaps[index]]
        there = there[np.isfinite(there)] if there.dtype.kind == "f" else there
        if not there.size:
            return None
        low = float(there.min())
        if self._mark is None and not self._real and low in MARKS and _apart(there, low):
            what = f"holds {low:g} in band {self.taken[index].name!r}, far from its other numbers."
            hint = f"If it marks missing data: --nodata {low:g}. If it is real: --nodata none."
            raise DataError(Problem(self.header.where, what, hint))
        return Values(low, float(np.median(there)), float(there.max()))

    @cached_property
    def _some(self) -> tuple[npt.NDArray[Any], Gaps]:
        """Numbers at some places of the file, side by side: a coarse overview where it has one."""
        header, grid = self.header, self.header.grid
        if header.overviews > 1:
            return self._coarse(header.overviews)
        with telling(header.path):
            parts = [self._raw(self._own, window) for window in _windows(grid)]
        flat = [(raw.reshape(len(raw), -1), gaps.reshape(len(gaps), -1)) for raw, gaps in parts]
        return (
            np.concatenate([raw for raw, _ in flat], axis=1),
            np.concatenate([gaps for _, gaps in flat], axis=1),
        )

    def _spread(self) -> tuple[npt.NDArray[Any], Gaps]:
        """Numbers from all over the file where that is little to read; else those of `_some`."""
        header, grid = self.header, self.header.grid
        side = max(grid.height, grid.width)
        if header.overviews > 1 or not _PLACES * _LOOKED_AT < side <= _SMALL:
            return self._some
        return self._coarse(-(-side // (_PLACES * _LOOKED_AT)))

    def _coarse(self, times: int) -> tuple[npt.NDArray[Any], Gaps]:
        """The whole file, so many times coarser."""
        grid = self.header.grid
        shape = (-(-grid.height // times), -(-grid.width // times))
        with telling(self.header.path):
            return self._raw(self._own, Window(0, 0, grid.width, grid.height), shape)


def _mark(header: Header, said: NoData | None) -> float | None:
    if said is not None:
        return None if isinstance(said, str) else float(said)
    return header.nodata


def _blended(header: Header, mark: float | None) -> float | None:
    """What marks missing data for GDAL when it blends pixels; None: a mask does.

    A mark that numbers of the file's type cannot be marks nothing.
    """
    kinds = header.kinds
    if all(kind.kind == "f" for kind in kinds):
        return float("nan") if mark is None else mark
    if mark is None or not mark.is_integer():
        return None
    held = all(
        np.iinfo(kind).min <= mark <= np.iinfo(kind).max for kind in kinds if kind.kind != "f"
    )
    return mark if held else None


def _apart(there: npt.NDArray[Any], mark: float) -> bool:
    """Whether nothing lies near a number that is below all others."""
    return not ((there != mark) & (there < mark / 2)).any()


def _windows(grid: Grid) -> list[Window]:
    """Places evenly spread over a file, all of one size."""
    height, width = min(_LOOKED_AT, grid.height), min(_LOOKED_AT, grid.width)
    rows = sorted(set(np.linspace(0, grid.height - height, _PLACES).astype(int).tolist()))
    columns = sorted(set(np.linspace(0, grid.width - width, _PLACES).astype(int).tolist()))
    return [Window(column, row, width, height) for row in rows for column in columns]


def _steps(
    channels: Sequence[Channel], measures: Sequence[Measure]
) -> list[tuple[Channel, tuple[float, float]]]:
    """Of each band its channel, and what is done to its numbers before."""
    steps = []
    for channel, how in zip(channels, measures, strict=True):
        whole = affine(channel, how)
        steps.append((channel, (how.gain, how.offset)) if whole is None else (whole, (1.0, 0.0)))
    return steps
