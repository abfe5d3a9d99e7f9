"""Known defects of published datasets, each corrected by default and reproducible.

Sources: the projects' own issue trackers, and the datasets' own statistics, which prove each one
before it is corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iterate_core.data.dataset import Band

_B06, _B07, _B08 = "06 - Vegetation Red Edge", "07 - Vegetation Red Edge", "08 - NIR"
_B8A, _B09, _B10 = "08A - Vegetation Red Edge", "09 - Water vapour", "10 - SWIR - Cirrus"
_B11, _B12 = "11 - SWIR", "12 - SWIR"

# m-eurosat's source lists its last bands as B09, B10, B11, B12, B8A; they were given the names of
# the usual order (ServiceNow/geo-bench issue 28). What a file calls by the key here is the value.
_EUROSAT = {_B8A: _B09, _B09: _B10, _B10: _B11, _B11: _B12, _B12: _B8A}

# m-brick-kiln's source holds B1 to B5, B7, B8A, B8, B11, B12 and a true-colour image
# (ServiceNow/geo-bench issue 29); they were given the names of the thirteen bands in their order.
_TRUE_COLOUR = ("TCI_R", "TCI_G", "TCI_B")
_BRICK_KILN = {
    **dict(zip((_B06, _B07, _B08, _B8A, _B09), (_B07, _B8A, _B08, _B11, _B12), strict=True)),
    **dict(zip((_B10, _B11, _B12), _TRUE_COLOUR, strict=True)),
}


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
        dataset: Its name in the benchmark: ``m-eurosat``.
        bands: As the files declare them.
        statistics: ``band_stats.json``: name in the files → {"mean", "max", …}.
        compat: Leave everything as the files say.
    """
    keys = {band.name: band.name for band in bands}
    if dataset == "m-eurosat" and _EUROSAT.keys() <= keys.keys() and _shifted(statistics):
        return _eurosat(bands, keys, compat)
    if dataset == "m-brick-kiln" and _BRICK_KILN.keys() <= keys.keys() and _foreign(statistics):
        return _brick_kiln(bands, keys, compat)
    if dataset == "m-SA-crop-type":
        return _eight_bit(bands, keys, statistics)
    return Corrected(bands, keys)


def _shifted(statistics: Mapping[str, Any]) -> bool:
    """Whether the statistics prove the shift: a dark water-vapour band, a bright cirrus band.

    Water vapour reflects hundreds (× 10,000) over land and cirrus about ten; under shifted names
    it is the other way round. Without statistics the dataset's name decides.
    """
    water, cirrus = statistic(statistics, _B09, "mean"), statistic(statistics, _B10, "mean")
    return water is None or cirrus is None or water < cirrus


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


def _foreign(statistics: Mapping[str, Any]) -> bool:
    """Whether the last three bands never leave the 8-bit range, as a true-colour image's do not.

    Without statistics the dataset's name decides.
    """
    largest = [statistic(statistics, name, "max") for name in (_B10, _B11, _B12)]
    return all(found is None or found <= 255 for found in largest)


def _brick_kiln(bands: tuple[Band, ...], keys: dict[str, str], compat: bool) -> Corrected:
    if compat:
        note = (
            "compat: the last eight bands keep the names of the published files (06 holds B07, "
            "07 holds B8A, 08A holds B11, 09 holds B12; 10, 11 and 12 hold a true-colour image)"
        )
        return Corrected(bands, keys, (note,), frozenset((_B10, _B11, _B12)))
    known = {band.name: band for band in bands}
    names = {key: _BRICK_KILN.get(key, key) for key in keys}
    true = tuple(known[name] if name in known else Band(name) for name in names.values())
    note = (
        "band names after B05 corrected: the published files call B07 '06', B8A '07', B11 '08A', "
        "B12 '09', and a true-colour image '10', '11' and '12' (compat: true keeps their names); "
        "there is no B06, B09 or B10"
    )
    corrected = {name: key for key, name in names.items()}
    return Corrected(true, corrected, (note,), frozenset(_TRUE_COLOUR))


def _eight_bit(
    bands: tuple[Band, ...], keys: dict[str, str], statistics: Mapping[str, Any]
) -> Corrected:
    """Values that never leave the 8-bit range, where reflectance × 10,000 is expected."""
    notes = ["values are in an 8-bit range, not reflectance × 10,000; their unit is unknown"]
    constant = [band.name for band in bands if statistic(statistics, band.name, "std") == 0]
    if constant:
        notes.append(f"{', '.join(constant)}: the same value everywhere")
    return Corrected(bands, keys, tuple(notes), frozenset(keys))


def statistic(statistics: Mapping[str, Any], band: str, name: str) -> float | None:
    """A number of a band in ``band_stats.json``: ``mean``, ``std``, ``max``; None without one."""
    entry = statistics.get(band)
    value = entry.get(name) if isinstance(entry, Mapping) else None
    return float(value) if isinstance(value, int | float) else None
