"""Days as people write them into the names of files."""

from __future__ import annotations

import re
from datetime import date

from iterate_core.data.geobench_v2.dates import day_of

Dates = tuple[tuple[int, int], ...]

_DAY = re.compile(r"(\d{4})[-_]?(\d{2})[-_]?(\d{2})(?:[T_-]?\d{4,6}Z?)?")


def day_in(text: str) -> tuple[int, int] | None:
    """Year and day of the year of ``20200711``, ``2020-07-11``, ``20200711T103031`` or ``2020193``.

    None where the day is not told: order is all that such dates give.
    """
    found = _DAY.fullmatch(text)
    if found is None:
        return day_of(text)
    try:
        return day_of(date(*(int(part) for part in found.groups())))
    except ValueError:
        return None
