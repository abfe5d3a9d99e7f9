"""What a sample must be to be packed, and targets, dates and places as they are packed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import DatasetInfo, Sample
from iterate_core.data.store.pixels import LARGEST, check_pixels
from iterate_core.errors import DataError, Problem

Dates = tuple[tuple[int, int], ...]
Place = tuple[float, float]


def checked(sample: Sample, info: DatasetInfo) -> Sample:
    """The sample, once its shape, pixels, target, dates and place are what the dataset declares.

    Raises:
        DataError: They are not.
    """
    where = f"dataset {info.name}, sample {sample.name}"
    _check_shape(sample.image.shape[1:], info, where)
    check_pixels(sample.image, where)
    _check_target(np.asarray(sample.target), info, where)
    if sample.dates is not None:
        _check_dates(sample.dates, info, where)
    if sample.place is not None:
        _check_place(sample.place, where)
    return sample


def packed_target(target: Any, info: DatasetInfo) -> npt.NDArray[Any]:
    """A sample's target in the smallest type that serves all of its task, as it is packed."""
    return np.asarray(target).astype(_target_type(info))


def _target_type(info: DatasetInfo) -> np.dtype[Any]:
    if info.task == "segmentation":
        largest = max(len(info.classes) - 1, info.ignore_index)
        smallest = np.min_scalar_type(min(0, info.ignore_index))
        return np.result_type(np.min_scalar_type(largest), smallest)
    kinds = {"classification": np.int64, "multilabel": np.uint8, "regression": np.float32}
    return np.dtype(kinds[info.task])


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
    raise DataError(Problem(where, what))


def _check_target(target: npt.NDArray[Any], info: DatasetInfo, where: str) -> None:
    dense = (info.height, info.width)
    shapes = {"classification": (), "multilabel": (len(info.classes),)}
    wanted = shapes.get(info.task, dense)
    if target.shape != wanted:
        raise DataError(Problem(where, f"has a target of shape {target.shape}, not {wanted}."))
    if info.task == "regression":
        if (np.isinf(target) | (np.abs(target) > LARGEST)).any():
            what = "has target values that are infinite or mark no data by their size."
            raise DataError(Problem(where, what, "Pixels without a target must be NaN."))
        return
    bound = 2 if info.task == "multilabel" else len(info.classes)
    wrong = (target < 0) | (target >= bound)
    if info.task == "segmentation":
        wrong &= target != info.ignore_index
    if wrong.any():
        what = f"has the label {int(target[wrong].flat[0])}, but there are {bound} classes."
        raise DataError(Problem(where, what))


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
