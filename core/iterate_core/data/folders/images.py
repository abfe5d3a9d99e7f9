"""A sample's images: every modality and date of it as one array of bands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.bands import describe, family_of, guess_unit
from iterate_core.data.convert.missing import Missing, check_ranges
from iterate_core.data.dataset import Band
from iterate_core.data.folders.dates import Dates, day_in
from iterate_core.data.folders.options import FolderData
from iterate_core.data.folders.rasters import Raster, read_raster
from iterate_core.data.folders.samples import FolderSample, Listing, Modality
from iterate_core.data.units import unit_of_tags
from iterate_core.errors import DataError, Problem
from iterate_core.plurals import counted

_LOOKED_AT = 8
"""Images whose largest values tell the unit of a modality's bands, where nobody says it."""


@dataclass(frozen=True)
class Image:
    """A sample's images.

    Attributes:
        pixels: As in `iterate_core.data.dataset.Sample`.
        dates: Likewise.
        first: The first modality's first image, as it is; `missing` is that of all images.
    """

    pixels: npt.NDArray[Any]
    dates: Dates | None
    first: Raster


class ImageReader:
    """Reads the images of a folder's samples.

    Attributes:
        bands: Of all modalities, in their order.
        frames: Dates of a sample.
        first: An image, whose size is that of all.
        notes: What to tell of the images.

    Raises:
        DataError: Bands have no names, or other ones than are declared.
    """

    def __init__(self, section: FolderData, listing: Listing) -> None:
        self._size = None if section.size is None else (section.size, section.size)
        nodata = float(section.nodata) if isinstance(section.nodata, int) else section.nodata
        self._missing = Missing(nodata, section.fill, section.mask)
        self._listing = listing
        first = read_raster(listing.samples[0].images[0][0])
        self._shape = first.size
        self.first = self._on_grid(first)
        self.notes: tuple[str, ...] = ()
        self._names = [self._names_of(number) for number in range(len(listing.modalities))]
        described = [self._described(number) for number in range(len(listing.modalities))]
        self._bands = _distinct(described, listing.modalities)
        self.bands = tuple(band for bands in self._bands for band in bands)
        self.frames = max(len(files) for files in listing.samples[0].images)

    def read(self, sample: FolderSample, bands: Sequence[str]) -> Image:
        """The bands asked for, by the names in `bands`; modalities without any are not used."""
        planes: dict[str, npt.NDArray[Any]] = {}
        missing: npt.NDArray[np.bool_] | None = None
        first: Raster | None = None
        for number, files in enumerate(sample.images):
            names = [band.name for band in self._bands[number]]
            if not set(names) & set(bands):
                continue
            rasters = [self._treated(path, number) for path in files]
            first = rasters[0] if number == 0 else first
            gaps = [raster.missing for raster in rasters if raster.missing is not None]
            gaps += [] if missing is None else [missing]
            missing = reduce(np.logical_or, gaps) if gaps else None
            frames = self._frames([raster.pixels for raster in rasters], sample)
            planes |= dict(zip(names, frames, strict=True))
        pixels = np.stack([planes[name] for name in bands])
        whole = pixels if self.frames > 1 else pixels[:, 0]
        first = first or self._on_grid(read_raster(sample.images[0][0]))
        return Image(whole, _dates(sample, self.frames), replace(first, missing=missing))

    def _frames(self, images: list[npt.NDArray[Any]], sample: FolderSample) -> npt.NDArray[Any]:
        """(bands, frames, height, width); what has no dates stands at each."""
        if len(images) == 1:
            return np.repeat(images[0][:, None], self.frames, axis=1)
        if len(images) != self.frames:
            what = f"sample {sample.name} has {len(images)} dates, but others have {self.frames}."
            raise DataError(Problem(str(self._listing.root), what, "Say how many in data.frames."))
        return np.stack(images, axis=1)

    def _treated(self, path: Path, number: int) -> Raster:
        """An image with its pixels without data filled, once its bands are what is declared."""
        raster = read_raster(path)
        self._check(raster, number)
        pixels, missing = self._missing.cleared(raster.pixels, raster.nodata, str(path))
        check_ranges(pixels, self._bands[number], self._missing, str(path))
        return self._on_grid(replace(raster, pixels=pixels, missing=missing))

    def _on_grid(self, raster: Raster) -> Raster:
        if self._size is not None:
            return raster.resized(self._size)
        if raster.size != self._shape:
            what = f"is {raster.size} pixels, but other images are {self._shape}."
            raise DataError(Problem(str(raster.path), what, "data.size brings all to one size."))
        return raster

    def _check(self, raster: Raster, number: int) -> None:
        modality, names = self._listing.modalities[number], self._names[number]
        if len(raster.pixels) != len(names):
            what = f"has {counted(len(raster.pixels), 'band')}, not {', '.join(names)}."
            raise DataError(Problem(str(raster.path), what))
        if modality.band_names is None and raster.names != names:
            what = f"names its bands {raster.names}, but other files {names}."
            hint = f"Name the bands of all files in {modality.where}.band_names."
            raise DataError(Problem(str(raster.path), what, hint))

    def _names_of(self, number: int) -> tuple[str, ...]:
        modality = self._listing.modalities[number]
        first = read_raster(self._listing.samples[0].images[number][0])
        names = modality.band_names or first.names
        if names is None:
            what = f"does not name its {counted(len(first.pixels), 'band')}."
            hint = f"List them in {modality.where}.band_names, in the order of the file."
            raise DataError(Problem(str(first.path), what, hint))
        if len(names) != len(first.pixels):
            what = f"names {counted(len(names), 'band')}, but {first.path} has"
            where = f"{modality.where}.band_names"
            raise DataError(Problem(where, f"{what} {len(first.pixels)}."))
        return names

    def _described(self, number: int) -> tuple[Band, ...]:
        """What is known of bands of these names, and their units."""
        modality = self._listing.modalities[number]
        known = describe(self._names[number], family_of(modality.sensor))
        known = tuple(replace(b, sensor=modality.sensor or b.sensor) for b in known)
        if modality.unit is not None:
            return tuple(replace(band, unit=modality.unit) for band in known)
        samples = self._listing.samples
        steps = np.linspace(0, len(samples) - 1, min(_LOOKED_AT, len(samples))).astype(int)
        rasters = [read_raster(samples[index].images[number][0]) for index in steps]
        for raster in rasters:
            self._check(raster, number)
        kind = np.result_type(*(raster.pixels.dtype for raster in rasters))
        largest = reduce(
            np.fmax, [np.fmax.reduce(raster.pixels, axis=(1, 2)) for raster in rasters]
        )
        guessed = (
            guess_unit(band, kind, float(value)) for band, value in zip(known, largest, strict=True)
        )
        told = [
            _unit_of_tags(band, tags) for band, tags in zip(known, rasters[0].tags, strict=True)
        ]
        self.notes += _unapplied(known, rasters[0], told)
        return tuple(
            replace(band, unit=unit or guess)
            for band, unit, guess in zip(known, told, guessed, strict=True)
        )


def _unit_of_tags(band: Band, tags: tuple[float, float]) -> str | None:
    """The unit of an optical band whose file says how its numbers become reflectance."""
    return None if band.wavelength is None else unit_of_tags(*tags)


def _unapplied(
    bands: Sequence[Band], raster: Raster, told: Sequence[str | None]
) -> tuple[str, ...]:
    """A note on numbers that a file says become physical by what is not done to them."""
    left: dict[tuple[float, float], list[str]] = {}
    for band, tags, unit in zip(bands, raster.tags, told, strict=True):
        if unit is None and tags != (1.0, 0.0):
            left.setdefault(tags, []).append(band.name)
    return tuple(
        f"{', '.join(names)}: read as stored, though {raster.path.name} says that "
        f"{scale:g} · x {'-' if offset < 0 else '+'} {abs(offset):g} is measured"
        for (scale, offset), names in left.items()
    )


def _distinct(
    described: Sequence[tuple[Band, ...]], modalities: Sequence[Modality]
) -> list[tuple[Band, ...]]:
    """Names that several modalities share get their modality's before them."""
    often = Counter(band.name for bands in described for band in bands)
    return [
        tuple(
            band if often[band.name] == 1 else replace(band, name=f"{modality.name}_{band.name}")
            for band in bands
        )
        for bands, modality in zip(described, modalities, strict=True)
    ]


def _dates(sample: FolderSample, frames: int) -> Dates | None:
    """Of the first modality that has as many."""
    told = next((days for days in sample.days or () if len(days) == frames), ())
    found = tuple(day_in(text) for text in told)
    return None if not found or None in found else found  # type: ignore[return-value]
