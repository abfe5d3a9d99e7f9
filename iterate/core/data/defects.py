"""Known defects of published datasets, each corrected by default and reproducible.

Sources: the projects' own issue trackers, and the datasets' own statistics, which prove each one
before it is corrected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iterate.core.data.dataset import Band

_AFTER_B08 = (
    "08A - Vegetation Red Edge",
    "09 - Water vapour",
    "10 - SWIR - Cirrus",
    "11 - SWIR",
    "12 - SWIR",
)
# m-eurosat's source lists its last bands as B09, B10, B11, B12, B8A; they were given the names of
# the usual order. What a file calls by the key here is in truth the value.
_EUROSAT = dict(zip(_AFTER_B08, (*_AFTER_B08[1:], _AFTER_B08[0]), strict=True))


@dataclass(frozen=True)
class Corrected:
    """A dataset's bands after correction.

    Attributes:
        bands: In the dataset's order, under their true names.
        keys: True name → the name under which the files hold it.
        notes: What was corrected, or left for `compat`.
        unitless: True names of bands whose unit is not what their type suggests.
    """

    bands: tuple[Band, ...]
    keys: dict[str, str]
    notes: tuple[str, ...] = ()
    unitless: frozenset[str] = frozenset()


def correct(
    dataset: str, bands: tuple[Band, ...], statistics: Mapping[str, Any], compat: bool
) -> Corrected:
    """Correct what is known to be wrong with a dataset's band names and units.

    Args:
        dataset: Its name.
        bands: As the files declare them.
        statistics: ``band_stats.json``: name in the files → {"mean", "max", …}.
        compat: Leave everything as the files say.
    """
    name = re.sub(r"[^a-z0-9]+", "-", dataset.casefold())
    keys = {band.name: band.name for band in bands}
    if "eurosat" in name and _EUROSAT.keys() <= keys.keys() and _shifted(statistics):
        return _eurosat(bands, keys, compat)
    if "brick-kiln" in name or "sa-crop-type" in name:
        return _unknown_units(bands, keys, statistics)
    return Corrected(bands, keys)


def _shifted(statistics: Mapping[str, Any]) -> bool:
    """Whether the statistics prove the shift: a dark water-vapour band, a bright cirrus band.

    Water vapour reflects hundreds (× 10,000) over land and cirrus about ten; under shifted names
    it is the other way round. Without statistics the dataset's name decides.
    """
    water = statistics.get("09 - Water vapour", {}).get("mean")
    cirrus = statistics.get("10 - SWIR - Cirrus", {}).get("mean")
    return water is None or cirrus is None or bool(water < cirrus)


def _eurosat(bands: tuple[Band, ...], keys: dict[str, str], compat: bool) -> Corrected:
    if compat:
        note = (
            "compat: the last five bands keep the shifted names of the published files "
            "(08A holds B09, 09 holds B10, 10 holds B11, 11 holds B12, 12 holds B8A)"
        )
        return Corrected(bands, keys, (note,))
    corrected = {**keys, **{true: key for key, true in _EUROSAT.items()}}
    note = (
        "band names after B08 corrected: the published files call B09 '08A', B10 '09', B11 '10', "
        "B12 '11' and B8A '12' (compat: true keeps their names)"
    )
    return Corrected(bands, corrected, (note,))


def _unknown_units(
    bands: tuple[Band, ...], keys: dict[str, str], statistics: Mapping[str, Any]
) -> Corrected:
    """Bands that never leave the 8-bit range, where reflectance × 10,000 is expected."""
    names = frozenset(
        band.name for band in bands if statistics.get(band.name, {}).get("max", 256) <= 255
    )
    if not names:
        return Corrected(bands, keys)
    shown = "all bands" if len(names) == len(bands) else ", ".join(sorted(names))
    note = f"{shown}: values in an 8-bit range, not reflectance × 10,000; their unit is unknown"
    return Corrected(bands, keys, (note,), names)
