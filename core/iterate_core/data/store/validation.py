"""What a sample must be to be packed, and dates and places as they are packed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import DatasetInfo, Sample
from iterate_core.data.store.pixels import check_pixels
from iterate_core.data.target import Target
from iterate_core.errors import DataError, Problem

Dates = tuple[tuple[int, int], ...]
Place = tuple[float, float]


def checked(sample: Sample, target: Target) -> Sample:
    """The sample, once its shape, pixels, target, dates and place are what the dataset declares.

    Raises:
        DataError: They are not.
    """
    info = target.info
    where = f"dataset {info.name}, sample {sample.name}"
    _check_shape(sample.image.shape[1:], info, where)
    check_pixels(sample.image, where)
    target.check(sample.target, where)
    if sample.dates is not None:
        _check_dates(sample.dates, info, where)
    if sample.place is not None:
        _check_place(sample.place, where)
    return sample


def stacked_dates(dates: Sequence[Dates | None], frames: int) -> npt.NDArray[np.float32] | None:
    """(samples, frames, 2) year and day of the year, NaN where unknown; None if all are."""
    if all(found is None for found in dates):
        return None
    unknown = np.full((frames, 2), np.nan)
    return np.stack([unknown if found is None else found for found in dates]).astype(np.float32)


def stacked_places(places: Sequence[Place | None]) -> npt.NDArray[np.float32] | None:
    """(samples, 2) latitude and longitude in degrees, NaN where unknown; None if all are."""
    if all(found is None for found in places):
        return None
    unknown = (np.nan, np.nan)
    return np.array([unknown if found is None else found for found in places], dtype=np.float32)


def _check_shape(found: tuple[int, ...], info: DatasetInfo, where: str) -> None:
    dates = (info.frames,) if info.frames > 1 else ()
    if found == (*dates, info.height, info.width):
        return
    if found[-2:] == (info.height, info.width):
        what = f"has {' × '.join(map(str, found[:-2])) or 'no'} dates, not {info.frames}."
        raise DataError(Problem(where, what))
    what = f"is {found[-2:]} pixels, not {(info.height, info.width)}."
    raise DataError(Problem(where, what, "data.tile brings samples of several sizes to one."))


def _check_dates(dates: Dates, info: DatasetInfo, where: str) -> None:
    if len(dates) != info.frames:
        raise DataError(Problem(where, f"declares {len(dates)} dates for {info.frames} frames."))
    for year, day in dates:
        if not 1 <= day <= 366:
            what = f"was taken on day {day} of {year}; days count from 1 to 366."
            raise DataError(Problem(where, what))


def _check_place(place: Place, where: str) -> None:
    latitude, longitude = place
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        what = f"lies at latitude {latitude} and longitude {longitude}."
        raise DataError(Problem(where, what, "Degrees: within ±90 and ±180."))
