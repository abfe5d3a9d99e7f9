"""Dates and places as the tables write them, where they can be believed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

EARLIEST = datetime(1972, 3, 1, tzinfo=UTC).timestamp()
"""No satellite image is older than this many seconds: a smaller number is no time in seconds."""

LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
PLACE_COLUMNS = ("lat", "lon", "stac:centroid")
_POINT = re.compile(r"POINT ?\(([-+.\deE]+) ([-+.\deE]+)\)")


def day_of(value: Any) -> tuple[int, int] | None:
    """Year and day of the year, or None where the day is not told.

    A time is Unix seconds in most files, but a bare year in some (2020.0, read as seconds half
    past midnight in 1970), a year and day (2020193), a date (20200711), or ISO text.
    """
    if isinstance(value, datetime | date):
        return value.year, value.timetuple().tm_yday
    if isinstance(value, str):
        try:
            return day_of(datetime.fromisoformat(value)) if "-" in value else day_of(float(value))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if EARLIEST <= value < LATEST:
        return day_of(datetime.fromtimestamp(value, UTC))
    return _packed(int(value)) if float(value).is_integer() else None


def place_of(fields: Mapping[str, Any]) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, or None.

    The columns ``lat`` and ``lon`` win over ``stac:centroid``, which some files fill with pixels.
    """
    pairs = [(fields.get("lat"), fields.get("lon"))]
    centroid = fields.get("stac:centroid")
    found = _POINT.fullmatch(centroid) if isinstance(centroid, str) else None
    if found:
        pairs.append((_number(found[2]), _number(found[1])))
    for latitude, longitude in pairs:
        if _within(latitude, 90) and _within(longitude, 180):
            return float(latitude), float(longitude)  # type: ignore[arg-type]
    return None


def _packed(value: int) -> tuple[int, int] | None:
    """Of a whole number that writes a day in decimal digits."""
    try:
        if 1972_01_01 <= value < 2100_01_01:
            return day_of(date(value // 10000, value // 100 % 100, value % 100))
        if 1972_001 <= value < 2100_001:
            day = date(value // 1000, 1, 1) + timedelta(days=value % 1000 - 1)
            return day_of(day) if day.year == value // 1000 else None
    except ValueError:
        return None
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _within(value: Any, limit: float) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) <= limit
