"""What some of a file's numbers tell against what is said, or not said, of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Band
from iterate_core.data.units import UNITS
from iterate_core.inference.scenes.measures import Measure, Values, is_light_or_radar

_LEAST = 0.005  # part of the pixels that is told of
_PARTS = (0.5, 1, 2, 5, 10, 20, 30, 50, 70, 100)  # per cent; as told, so that notes are alike
_LIMITS = {
    "reflectance": (-1.0, 10.0),
    "fraction": (-0.1, 1.5),
    "uint8": (0.0, 255.0),
    "linear": (0.0, math.inf),
    "db": (-100.0, 100.0),
    "probability": (0.0, 100.0),
}
"""What numbers of a unit can be; those of other units can be anything."""
_WHOLE = ("dn", "landsat_sr", "landsat_toa")  # units of which 0 to 2 is next to nothing
_SMALL = 2.0


@dataclass(frozen=True)
class Beyond:
    """A band whose numbers are hardly in the unit that is said.

    Attributes:
        name: Of the band.
        unit: That is said.
        value: The number that is the least likely in it.
    """

    name: str
    unit: str
    value: float


def beyond(name: str, how: Measure, values: Values | None) -> Beyond | None:
    """A band whose numbers are not of the unit that a person or the file says."""
    if values is None or how.told == "taken" or (how.gain, how.offset) != (1.0, 0.0):
        return None
    low, high = _LIMITS.get(how.unit, (-math.inf, math.inf))
    small = how.unit in _WHOLE and 0 < values.high <= _SMALL
    if values.high > high or small:
        return Beyond(name, how.unit, values.high)
    return Beyond(name, how.unit, values.low) if values.low < low else None


def zeros(raw: npt.NDArray[Any], gaps: npt.NDArray[np.bool_], wanted: Sequence[Band]) -> float:
    """Part of some pixels that is 0 in every band of light or radar, of which 0 is no likely value.

    Args:
        raw: (bands, …) numbers.
        gaps: Likewise, where they lack data.
        wanted: What each band is; one alone of an unknown unit may well be 0.
    """
    telling = [number for number, band in enumerate(wanted) if is_light_or_radar(band)]
    if not telling and len(wanted) > 1:
        telling = [number for number, band in enumerate(wanted) if band.unit == "unknown"]
    if not telling or not raw[0].size:
        return 0.0
    there = (raw[telling] == 0) & ~gaps[telling]
    return float(there.all(axis=0).mean())


def notes_on_zeros(parts: Mapping[str, float]) -> Iterator[str]:
    """Of each file the part of its pixels that is 0 in every band."""
    told = {where: part for where, part in parts.items() if part >= _LEAST}
    if not told:
        return
    part = 100 * max(told.values())
    near = min(_PARTS, key=lambda one: abs(math.log(one / part)))
    whose = f"of the pixels of {', '.join(told)}" if len(parts) > len(told) else "of its pixels"
    yield (
        f"about {near:g} % {whose} are 0 in every band and taken as measured; if they lack data: "
        "--nodata 0, else --nodata none"
    )


def notes_on_units(found: Sequence[Beyond], count: int) -> Iterator[str]:
    """Bands, of `count`, whose numbers are not of the unit that is said."""
    for unit in dict.fromkeys(one.unit for one in found):
        mine = [one for one in found if one.unit == unit]
        names = list(dict.fromkeys(one.name for one in mine))
        listed = "all bands" if 1 < count == len(mine) else ", ".join(names)
        number = max((one.value for one in mine), key=abs)
        meaning = f"{UNITS[unit].meaning} ({unit})"
        yield f"{listed}: said to be {meaning}, but the numbers reach {float(f'{number:.1g}'):g}"
