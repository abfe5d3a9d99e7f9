"""The bands that satellites and aircraft deliver, the names people give them, and their units.

Centre wavelengths are those of the operators' documents (ESA's Sentinel-2 user handbook, USGS's
Landsat 8 handbook) in micrometres; the full names are those of GeoBench v1's files. Fields of the
weather go by the names of MERRA-2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Band
from iterate_core.data.merra2 import CLIMATE, FIELDS, STATIC, spellings
from iterate_core.data.units import UNITS
from iterate_core.errors import Problem, RequestError, nearest

SENTINEL_2, LANDSAT_8, ANY = "sentinel-2", "landsat-8", "any"


@dataclass(frozen=True)
class KnownBand:
    """One band of a sensor (or of any sensor) and the other names it goes by."""

    sensor: str
    name: str
    common: str
    wavelength: float | None = None
    aliases: tuple[str, ...] = ()

    @cached_property
    def keys(self) -> frozenset[str]:
        """Every name of it, in the form that names are compared in."""
        return frozenset(key(text) for text in (self.name, self.common, *self.aliases))


def key(name: str) -> str:
    """The form in which names are compared: ``"B02"`` = ``"b2"``, ``"SWIR_1"`` = ``"swir1"``."""
    words = re.split(r"[^a-z0-9/]+", name.casefold())
    return "".join(re.sub(r"^(b?)0+(?=\d)", r"\1", word) for word in words)


KNOWN = (
    KnownBand(SENTINEL_2, "01 - Coastal aerosol", "coastal", 0.443, ("B01", "coastal_aerosol")),
    KnownBand(SENTINEL_2, "02 - Blue", "blue", 0.490, ("B02",)),
    KnownBand(SENTINEL_2, "03 - Green", "green", 0.560, ("B03",)),
    KnownBand(SENTINEL_2, "04 - Red", "red", 0.665, ("B04",)),
    KnownBand(SENTINEL_2, "05 - Vegetation Red Edge", "red_edge_1", 0.705, ("B05", "rededge071")),
    KnownBand(SENTINEL_2, "06 - Vegetation Red Edge", "red_edge_2", 0.740, ("B06", "rededge075")),
    KnownBand(SENTINEL_2, "07 - Vegetation Red Edge", "red_edge_3", 0.783, ("B07", "rededge078")),
    KnownBand(SENTINEL_2, "08 - NIR", "nir", 0.842, ("B08", "nir_broad")),
    KnownBand(SENTINEL_2, "08A - Vegetation Red Edge", "nir_narrow", 0.865, ("B8A", "nir08")),
    KnownBand(
        SENTINEL_2, "09 - Water vapour", "water_vapour", 0.945, ("B09", "nir09", "water_vapor")
    ),
    KnownBand(SENTINEL_2, "10 - SWIR - Cirrus", "cirrus", 1.375, ("B10",)),
    KnownBand(SENTINEL_2, "11 - SWIR", "swir_1", 1.610, ("B11", "swir16")),
    KnownBand(SENTINEL_2, "12 - SWIR", "swir_2", 2.190, ("B12", "swir22")),
    KnownBand(LANDSAT_8, "01 - Coastal aerosol", "coastal", 0.443, ("B1", "coastal_aerosol")),
    KnownBand(LANDSAT_8, "02 - Blue", "blue", 0.482, ("B2",)),
    KnownBand(LANDSAT_8, "03 - Green", "green", 0.561, ("B3",)),
    KnownBand(LANDSAT_8, "04 - Red", "red", 0.655, ("B4",)),
    KnownBand(LANDSAT_8, "05 - NIR", "nir", 0.865, ("B5",)),
    KnownBand(LANDSAT_8, "06 - SWIR1", "swir_1", 1.609, ("B6", "swir16")),
    KnownBand(LANDSAT_8, "07 - SWIR2", "swir_2", 2.201, ("B7", "swir22")),
    KnownBand(LANDSAT_8, "08 - Panchromatic", "pan", 0.590, ("B8", "panchromatic")),
    KnownBand(LANDSAT_8, "09 - Cirrus", "cirrus", 1.373, ("B9",)),
    KnownBand(LANDSAT_8, "10 - Tirs1", "tir_1", 10.9, ("B10",)),
    KnownBand(LANDSAT_8, "11 - Tirs2", "tir_2", 12.0, ("B11",)),
    KnownBand(ANY, "Coastal", "coastal", 0.443, ("coastal_aerosol",)),
    KnownBand(ANY, "Blue", "blue", 0.490, ("b",)),
    KnownBand(ANY, "Green", "green", 0.560, ("g",)),
    KnownBand(ANY, "Yellow", "yellow", 0.605),
    KnownBand(ANY, "Red", "red", 0.665, ("r",)),
    KnownBand(ANY, "Red edge 1", "red_edge_1", 0.705, ("rededge071",)),
    KnownBand(ANY, "Red edge 2", "red_edge_2", 0.740, ("rededge075",)),
    KnownBand(ANY, "Red edge 3", "red_edge_3", 0.783, ("rededge078",)),
    KnownBand(ANY, "NearInfrared", "nir", 0.842, ("near_infrared", "nir_broad")),
    KnownBand(ANY, "Narrow NIR", "nir_narrow", 0.865, ("nir08",)),
    KnownBand(ANY, "Water vapour", "water_vapour", 0.945, ("water_vapor", "nir09")),
    KnownBand(ANY, "Cirrus", "cirrus", 1.375),
    KnownBand(ANY, "SWIR 1", "swir_1", 1.610, ("swir16",)),
    KnownBand(ANY, "SWIR 2", "swir_2", 2.190, ("swir22",)),
    KnownBand(ANY, "Panchromatic", "pan"),
    KnownBand(ANY, "VV", "vv"),
    KnownBand(ANY, "VH", "vh"),
    KnownBand(ANY, "01 - VH.Real", "vh_real"),
    KnownBand(ANY, "02 - VH.Imaginary", "vh_imaginary"),
    KnownBand(ANY, "03 - VV.Real", "vv_real"),
    KnownBand(ANY, "04 - VV.Imaginary", "vv_imaginary"),
    KnownBand(ANY, "05 - VH.LEE Filtered", "vh_lee"),
    KnownBand(ANY, "06 - VV.LEE Filtered", "vv_lee"),
    KnownBand(ANY, "07 - VH.LEE Filtered.Real", "vh_lee_real"),
    KnownBand(ANY, "08 - VV.LEE Filtered.Imaginary", "vv_lee_imaginary"),
    KnownBand(ANY, "Elevation", "elevation", None, ("dem", "dsm", "height")),
    KnownBand(ANY, "Slope", "slope"),
    KnownBand(ANY, "Canopy height", "canopy_height", None, ("chm", "canopy_height_model")),
    KnownBand(ANY, "Cloud Probability", "cloud_probability", None, ("clp", "cld")),
    KnownBand(ANY, "Temperature at 2 m", "temperature_2m", None, ("2m_temperature", "t2m")),
    KnownBand(ANY, "Total precipitation", "total_precipitation", None, ("tp",)),
    *(
        KnownBand(ANY, name, name.lower(), None, spellings(name))
        for name in (*FIELDS, *STATIC, *CLIMATE)
        if name != "T2M"  # the temperature at 2 m above
    ),
)


@cache
def candidates(name: str) -> tuple[KnownBand, ...]:
    """Every known band that goes by this name; those of a sensor only under full or short names."""
    wanted = key(name)
    found = tuple(known for known in KNOWN if wanted in known.keys)
    generic = tuple(known for known in found if known.sensor == ANY)
    return generic or found


def describe(names: Sequence[str], sensor: str | None = None) -> tuple[Band, ...]:
    """What is known of bands that go by these names, which together may tell the sensor.

    Short names mean different bands on different sensors: ``B05`` is red edge on Sentinel-2 and
    near infrared on Landsat 8. Where neither `sensor` nor the other names settle it, `common` and
    `wavelength` stay None.
    """
    sensor = sensor or _sensor(names)
    return tuple(_describe(name, sensor) for name in names)


def family_of(sensor: str | None) -> str | None:
    """The sensor whose band names are known: ``sentinel-2`` of ``sentinel-2-l2a``."""
    return next((s for s in (SENTINEL_2, LANDSAT_8) if sensor and sensor.startswith(s)), None)


def _sensor(names: Iterable[str]) -> str | None:
    """The one sensor that has a band of each of these names that any sensor has."""
    possible = {SENTINEL_2, LANDSAT_8}
    for name in names:
        sensors = {known.sensor for known in candidates(name)}
        if sensors and ANY not in sensors:
            possible &= sensors
    return possible.pop() if len(possible) == 1 else None


def _describe(name: str, sensor: str | None) -> Band:
    found = candidates(name)
    if sensor is not None:
        found = tuple(known for known in found if known.sensor in (sensor, ANY)) or found
    if len({known.common for known in found}) != 1:
        return Band(name)
    known = found[0]
    recorded_by = None if known.sensor == ANY else known.sensor
    return Band(name, known.common, known.wavelength, sensor=recorded_by)


def guess_unit(band: Band, dtype: npt.DTypeLike, largest: float | None = None) -> str:
    """The unit of a band whose files do not declare it, from its type and largest value.

    Optical integers are reflectance × 10,000 unless they never leave the 8-bit range; optical
    floats are reflectance up to 2, and numbers × 10,000 above 255. What that leaves is unknown.
    """
    kind = np.dtype(dtype)
    if kind == np.uint8:
        return "uint8"
    if band.common in ("elevation", "canopy_height"):
        return "metre"
    if band.common == "cloud_probability":
        return "probability"
    if band.wavelength is None:
        return "unknown"
    if kind.kind in "iu":
        eight_bit = largest is not None and largest <= 255 and band.common != "cirrus"
        return "unknown" if eight_bit else "dn"
    if largest is None or 2 < largest <= 255:
        return "unknown"
    return "dn" if largest > 255 else "reflectance"


def resolve_bands(
    asked: Sequence[str] | None, available: tuple[Band, ...], where: str
) -> tuple[Band, ...]:
    """The available bands that are asked for, in the order asked; None asks for all.

    A name is matched exactly, else by the spelling variants and aliases of its band, else by the
    common name it stands for on every sensor; never by position.

    Args:
        asked: Names such as ``"02 - Blue"``, ``"B02"``, ``"blue"``.
        available: The dataset's bands.
        where: The YAML path of `asked`, for the message.

    Raises:
        RequestError: With every name that is unknown, ambiguous or repeated.
    """
    if asked is None:
        return available
    problems: list[Problem] = []
    found: list[Band] = []
    if not asked:
        problems.append(Problem(where, "must name at least one band.", _legal(available)))
    for index, name in enumerate(asked):
        matches = match(name, available)
        place = f"{where}.{index}" if where else ""
        if len(matches) != 1:
            problems.append(_mismatch(place, name, matches, available))
        elif matches[0] in found:
            problems.append(Problem(place, f"asks for band {matches[0].name!r} a second time."))
        else:
            found.append(matches[0])
    if problems:
        raise RequestError(problems)
    return tuple(found)


def with_units(bands: Sequence[Band], units: Mapping[str, str], where: str) -> tuple[Band, ...]:
    """The bands, some of them in units that a person states.

    Raises:
        RequestError: A name is no band's, or a unit is unknown; all are named.
    """
    problems: list[Problem] = []
    stated: dict[str, str] = {}
    for name, unit in units.items():
        try:
            (band,) = resolve_bands([name], tuple(bands), where)
            stated[band.name] = unit
        except RequestError as error:
            problems += [replace(problem, where=where) for problem in error.problems]
        if unit not in UNITS:
            hint = nearest(unit, UNITS) or f"Legal: {', '.join(UNITS)}."
            problems.append(Problem(f"{where}.{name}", f"there is no unit {unit!r}.", hint))
    if problems:
        raise RequestError(problems)
    return tuple(replace(band, unit=stated.get(band.name, band.unit)) for band in bands)


def match(name: str, available: Sequence[Band]) -> tuple[Band, ...]:
    """The available bands that answer to a name; more than one where it is ambiguous."""
    exact = tuple(band for band in available if band.name == name)
    if exact:
        return exact
    wanted = key(name)
    for answers in (_own_keys, _alias_keys):
        matches = tuple(band for band in available if wanted in answers(band))
        if matches:
            return matches
    commons = {known.common for known in candidates(name)}
    if len(commons) != 1:
        return ()
    return tuple(band for band in available if band.common in commons)


def _own_keys(band: Band) -> set[str]:
    return {key(band.name)} | ({key(band.common)} if band.common else set())


def _alias_keys(band: Band) -> set[str]:
    """Other names of the known bands that this band can be, by its name and common name."""
    fitting = [known for known in candidates(band.name) if known.common == band.common]
    return {alias for known in fitting for alias in known.keys}


def _mismatch(
    where: str, name: str, matches: tuple[Band, ...], available: tuple[Band, ...]
) -> Problem:
    if matches:
        fitting = " and ".join(repr(band.name) for band in matches)
        return Problem(where, f"band {name!r} is ambiguous: {fitting} answer to it.")
    meanings: dict[str, Any] = {known.common: known.sensor for known in candidates(name)}
    what = f"there is no band {name!r}."
    if len(meanings) > 1:
        readings = " or ".join(f"{common} ({sensor})" for common, sensor in meanings.items())
        what = f"there is no band {name!r}, which could mean {readings}."
    names = [text for band in available for text in (band.name, band.common) if text]
    hint = nearest(name, names) or ""
    hint = hint if hint.startswith("Did") else ""
    return Problem(where, what, f"{hint} {_legal(available)}".strip())


def _legal(available: tuple[Band, ...]) -> str:
    return f"Available: {', '.join(band.name for band in available)}."
