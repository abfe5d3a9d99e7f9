"""When and where a GeoBench v1 sample was taken, as far as its header says it."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from iterate_core.data.geobench_v1.unpickle import Record

_DATE = re.compile(r"_(\d{4})-(\d{2})-(\d{2})")
_DEGREES = "EPSG:4326"
_WKT = re.compile(r"\s*(PROJ|GEOG|GEOD|BOUND|COMPD|COMPOUND)[A-Z]*\[")


def dates_of(details: dict[str, Any], keys: Iterable[str]) -> tuple[tuple[int, int], ...] | None:
    """Year and day of the year, if all bands of the sample are of one day.

    A composite of many days is of none, whatever date it was filed under.

    Args:
        details: What the sample's pickle says.
        keys: Names of the bands' arrays in the file, some with dates.
    """
    entries = [entry for entry in details.values() if isinstance(entry, dict)]
    if any(_is_composite(entry.get("meta_info")) for entry in entries):
        return None
    found = {day for entry in entries if (day := _day(entry.get("date"))) is not None}
    found |= {day for key in keys if (day := _day_in(key)) is not None}
    if len(found) != 1:
        return None
    day = found.pop()
    return ((day.year, day.timetuple().tm_yday),)


def place_of(details: dict[str, Any], height: int, width: int) -> tuple[float, float] | None:
    """Latitude and longitude of the centre in degrees; None where the header has no usable one."""
    for entry in details.values():
        if not isinstance(entry, dict):
            continue
        transform, crs = _affine(entry.get("transform")), _wkt(entry.get("crs"))
        if transform is None or crs is None:
            continue
        a, b, c, d, e, f = transform
        column, row = width / 2, height / 2
        return _in_degrees(a * column + b * row + c, d * column + e * row + f, crs)
    return None


def _is_composite(meta: Any) -> bool:
    return isinstance(meta, dict) and bool(meta.get("is_composite"))


def _day(value: Any) -> dt.date | None:
    return value if isinstance(value, dt.date) else None


def _day_in(key: str) -> dt.date | None:
    found = _DATE.search(key)
    try:
        return dt.date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _affine(value: Any) -> tuple[float, ...] | None:
    arguments = value.arguments if isinstance(value, Record) else value
    if not isinstance(arguments, tuple | list) or len(arguments) < 6:
        return None
    numbers = arguments[:6]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        return None
    return tuple(float(number) for number in numbers)


def _wkt(value: Any) -> str | None:
    if isinstance(value, Record):
        value = value.get("state", value.get("wkt"))
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) and value else None


def _in_degrees(x: float, y: float, crs: str) -> tuple[float, float] | None:
    if crs.upper() != _DEGREES:
        from rasterio.errors import CRSError
        from rasterio.warp import transform

        try:
            (x,), (y,) = transform(_parsed(crs), _parsed(_DEGREES), [x], [y])[:2]
        except (CRSError, ValueError, RuntimeError):
            return None
    if not (math.isfinite(x) and math.isfinite(y) and abs(y) <= 90 and abs(x) <= 180):
        return None
    return (y, x)


@lru_cache(maxsize=64)
def _parsed(crs: str) -> Any:
    """A coordinate system by its number or its description, never by a file's name or address."""
    from rasterio.crs import CRS

    number = re.fullmatch(r"EPSG:(\d{4,6})", crs.upper())
    if number:
        return CRS.from_epsg(int(number.group(1)))
    if not _WKT.match(crs):
        raise ValueError(f"{crs[:40]!r} is no coordinate system")
    return CRS.from_wkt(crs)
