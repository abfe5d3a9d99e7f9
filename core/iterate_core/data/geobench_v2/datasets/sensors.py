"""Bands of the sensors in GEO-Bench-2, as records."""

from __future__ import annotations

from dataclasses import replace

from iterate_core.data.bands import LANDSAT_8, SENTINEL_2, describe
from iterate_core.data.dataset import Band

SENTINEL_1 = "sentinel-1"
SENTINEL_2_L1C, SENTINEL_2_L2A = "sentinel-2-l1c", "sentinel-2-l2a"
PLANETSCOPE, WORLDVIEW, AERIAL = "planetscope", "worldview", "aerial"

_COLOURS = {"red": 0.665, "green": 0.560, "blue": 0.490, "nir": 0.842}
# DigitalGlobe, "Radiometric use of WorldView-3 imagery", 2016. Its red edge and second near
# infrared lie between the bands that other sensors call so.
_WORLDVIEW = {
    "coastal": ("coastal", 0.427),
    "blue": ("blue", 0.482),
    "green": ("green", 0.547),
    "yellow": ("yellow", 0.604),
    "red": ("red", 0.660),
    "red_edge": (None, 0.723),
    "nir1": ("nir", 0.824),
    "nir2": (None, 0.914),
    "pan": ("pan", 0.650),
}
# The names are those of the Sentinel-2 bands that the publisher likens them to.
_LANDSAT = {
    "B02": "02 - Blue",
    "B03": "03 - Green",
    "B04": "04 - Red",
    "B8A": "05 - NIR",
    "B11": "06 - SWIR1",
    "B12": "07 - SWIR2",
}


def sentinel_2(names: str, sensor: str = SENTINEL_2_L2A, unit: str = "dn") -> tuple[Band, ...]:
    """Bands such as ``"B02 B03 B8A"``."""
    bands = describe(names.split(), SENTINEL_2)
    return tuple(replace(band, unit=unit, sensor=sensor) for band in bands)


def landsat_8(unit: str) -> tuple[Band, ...]:
    """Blue, green, red, near and short-wave infrared, by the publisher's names."""
    bands = describe(list(_LANDSAT.values()), LANDSAT_8)
    return tuple(
        replace(band, name=name, unit=unit, sensor=LANDSAT_8)
        for name, band in zip(_LANDSAT, bands, strict=True)
    )


def radar(names: str, unit: str) -> tuple[Band, ...]:
    """Polarisations such as ``"VV VH"`` or ``"VV_asc VH_asc VV/VH_asc"`` (a ratio)."""
    return tuple(_polarisation(name, unit) for name in names.split())


def colours(names: str, sensor: str, unit: str = "uint8") -> tuple[Band, ...]:
    """Bands by colour: ``"red green blue nir"``."""
    return tuple(Band(name, name, _COLOURS[name], unit, sensor) for name in names.split())


def worldview(names: str) -> tuple[Band, ...]:
    """WorldView-2 and -3: 11-bit numbers as delivered."""
    return tuple(Band(name, *_WORLDVIEW[name], "unknown", WORLDVIEW) for name in names.split())


def _polarisation(name: str, unit: str) -> Band:
    ratio = "/" in name
    common = None if ratio else name.partition("_")[0].casefold()
    return Band(name, common, None, "unknown" if ratio else unit, SENTINEL_1)
