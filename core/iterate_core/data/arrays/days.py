"""When samples were taken, from arrays of days or of months."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.arrays.columns import Columns
from iterate_core.data.arrays.options import NpzData
from iterate_core.errors import DataError, Problem

Days = npt.NDArray[np.datetime64]
_MIDDLE = np.timedelta64(14, "D")
"""Days from the first of a month to its 15th."""


def days_of(section: NpzData, columns: Columns, dates: int) -> Days | None:
    """(samples, dates) days, NaT where unknown; None where no array tells them.

    Args:
        section: Names the array.
        columns: The file.
        dates: Of a sample.

    Raises:
        DataError: The array tells no days, or has another number of dates.
    """
    if section.dates is not None:
        name, days = section.dates, _days(columns.read(section.dates, "data.dates"))
    elif section.months is not None and section.year is not None:
        name = section.months
        days = _of_months(columns.read(name, "data.months"), section.january, section.year)
    else:
        return None
    if days is None:
        what = f"{name!r} does not tell {'days' if section.dates else 'months'} of the calendar."
        hint = "Legal: text such as 2021-07-15, 20210715, NumPy's dates."
        legal = f"Legal: {section.january} to {section.january + 11}."
        raise DataError(Problem(str(columns.path), what, hint if section.dates else legal))
    each = days.reshape(columns.count, -1)
    if days.ndim > 2 or each.shape[1] != dates:
        what = f"{name!r} is {days.shape}, but each of {columns.count} samples has {dates} dates."
        raise DataError(Problem(str(columns.path), what))
    return each


def year_and_day(days: Days) -> tuple[tuple[int, int], ...] | None:
    """Year and day of the year of each date; None if any is unknown."""
    if np.isnat(days).any():
        return None
    years = days.astype("datetime64[Y]")
    numbers = (days - years.astype("datetime64[D]")).astype(int) + 1
    pairs = zip(years.astype(int) + 1970, numbers, strict=True)
    return tuple((int(year), int(day)) for year, day in pairs)


def _days(array: npt.NDArray[Any]) -> Days | None:
    if array.dtype.kind == "M":
        return array.astype("datetime64[D]")
    if array.dtype.kind in "ui":
        digits = np.char.zfill(array.astype(str), 8)
        parts = [np.array([text[a:b] for text in digits.ravel()]) for a, b in _DIGITS]
        joined = ["-".join(part) for part in zip(*parts, strict=True)]
        array = np.array(joined).reshape(array.shape)
    if array.dtype.kind != "U":
        return None
    try:
        return array.astype("datetime64[D]")
    except ValueError:
        return None


_DIGITS = ((0, 4), (4, 6), (6, 8))
"""Where year, month and day stand in 20210715."""


def _of_months(array: npt.NDArray[Any], january: int, year: int) -> Days | None:
    if array.dtype.kind not in "ui":
        return None
    months = array.reshape(len(array), -1).astype(int) - january
    if ((months < 0) | (months > 11)).any():
        return None
    later = np.cumsum(np.diff(months, axis=1, prepend=months[:, :1]) < 0, axis=1)
    since = (year - 1970 + later) * 12 + months
    days: Days = since.astype("datetime64[M]").astype("datetime64[D]") + _MIDDLE
    return days
