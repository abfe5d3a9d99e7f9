"""The twelve datasets of GEO-Bench v1, as far as their files do not say it themselves.

Sources: Lacoste et al. 2023 (arXiv 2306.03831) and the datasets' own papers. A processing level
is stated only where it is certain: EuroSAT is Level 1C (Helber et al. 2019), BigEarthNet Level 2A
(Sumbul et al. 2019), and the brick kilns come with true-colour bands, which Earth Engine offers
for Level 2A alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from iterate_core.data.bands import guess_unit
from iterate_core.data.dataset import Band

SENTINEL_1, SENTINEL_2, LANDSAT_8, AERIAL = "sentinel-1", "sentinel-2", "landsat-8", "aerial"
_RECORDERS = {"Sentinel1": SENTINEL_1, "Sentinel2": SENTINEL_2, "Landsat8": LANDSAT_8}
_RADAR = ("vv", "vh")


@dataclass(frozen=True)
class Known:
    """A dataset of the benchmark.

    Attributes:
        name: As the benchmark calls it.
        aliases: What its other names contain, without capitals and signs.
        optical: What recorded its optical bands.
        unit: Of its optical bands; None: told from their numbers.
        metres: Ground size of a pixel.
        wrong_metres: What the published files say of it instead.
    """

    name: str
    aliases: tuple[str, ...]
    optical: str
    unit: str | None
    metres: float
    wrong_metres: float | None = None


KNOWN = (
    Known("m-bigearthnet", ("bigearthnet",), "sentinel-2-l2a", None, 10.0),
    Known("m-so2sat", ("so2sat",), SENTINEL_2, "reflectance", 10.0),
    Known("m-brick-kiln", ("brickkiln",), "sentinel-2-l2a", None, 10.0),
    Known("m-forestnet", ("forestnet",), LANDSAT_8, "uint8", 15.0),
    Known("m-eurosat", ("eurosat",), "sentinel-2-l1c", None, 10.0),
    Known("m-pv4ger-seg", ("pv4gerseg",), AERIAL, "uint8", 0.1),
    Known("m-pv4ger", ("pv4ger",), AERIAL, "uint8", 0.1),
    Known("m-chesapeake", ("chesapeake",), AERIAL, "fraction", 1.0),
    Known("m-cashew-plant", ("cashew",), SENTINEL_2, None, 10.0, wrong_metres=0.5),
    Known("m-SA-crop-type", ("sacroptype", "southafricacroptype"), SENTINEL_2, "unknown", 10.0),
    Known("m-nz-cattle", ("nzcattle",), AERIAL, "uint8", 0.1),
    Known("m-NeonTree", ("neontree",), AERIAL, "uint8", 0.1),
)


def find(*names: str) -> Known | None:
    """The dataset that goes by any of these names, such as ``"m-eurosat"``, ``"eurosat_v1.0"``."""
    for name in names:
        plain = re.sub(r"[^a-z0-9]", "", name.casefold())
        for known in KNOWN:
            if any(alias in plain for alias in known.aliases):
                return known
    return None


def recorder(band: Band, record: str | None, known: Known | None) -> str | None:
    """What recorded a band.

    Args:
        band: As its name describes it.
        record: The class of the record that the sample keeps of it: ``"Sentinel2"``.
        known: Its dataset.
    """
    if (band.common or "").split("_")[0] in _RADAR:
        return SENTINEL_1 if known is not None else _RECORDERS.get(record or "", band.sensor)
    family = _RECORDERS.get(record or "", band.sensor)
    if known is None:
        return family
    if family is None:
        return None if band.wavelength is None else known.optical
    return known.optical if family == _family(known.optical) else family


def unit_of(band: Band, dtype: np.dtype[Any], largest: float | None, known: Known | None) -> str:
    """The unit of a band's pixels: the dataset's, if the pixels can be in it, else a guess.

    Args:
        band: As its name describes it.
        dtype: Type of its pixels.
        largest: Their largest value; None where no file says it.
        known: Its dataset.
    """
    if known is not None and band.common in ("vv_lee", "vh_lee"):
        return "linear"
    if known is None or known.unit is None or band.wavelength is None:
        return guess_unit(band, dtype, largest)
    fractional = dtype.kind == "f"
    possible = {
        "uint8": largest is None or largest <= 255,
        "fraction": fractional and (largest is None or largest <= 1),
        "reflectance": fractional,
    }
    return known.unit if possible.get(known.unit, True) else guess_unit(band, dtype, largest)


def _family(sensor: str) -> str:
    return "-".join(sensor.split("-")[:2])
