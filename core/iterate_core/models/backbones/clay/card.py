"""Clay: published sizes, weights and statistics, and the cards made of them, as data.

Imports no torch. Parameter counts are those of the encoder as built here: without decoders and
classification heads, of all bands the weights were trained with. Statistics are those of the
model's own configuration files.
"""

from __future__ import annotations

from collections.abc import Iterable

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Card, entries_of
from iterate_core.models.backbones.transformer.card import (
    BASE,
    LARGE,
    Configuration,
    Statistics,
    modality_of,
    numbers,
    sized,
)
from iterate_core.registry.registry import Entry


class ClayConfiguration(Configuration):
    """A Clay encoder."""


def _statistics(
    bands: str, unit: str, gsd: float, mean: str, std: str, wavelengths: str
) -> Statistics:
    values = (numbers(mean), numbers(std), numbers(wavelengths))
    return Statistics(tuple(bands.split()), unit, *values, gsd)


# The first version was taken out of made-with-clay/Clay (terratorch issue 1024); its new place is
# terratorch's, and neither its commit nor its digest has been seen. 1.5: as others have pinned it.
CLAY_V1 = ClayConfiguration(
    *("Clay-v1", *BASE, 8, 256, 92_102_144),
    file=HubFile("made-with-clay/Clay-legacy", "v1/clay-v1-base.ckpt"),
)
CLAY_V1_5 = ClayConfiguration(
    *("Clay-v1.5", *LARGE, 8, 256, 311_442_944),
    file=HubFile(
        *("made-with-clay/Clay", "v1.5/clay-v1.5.ckpt"),
        revision="70200ebcccdf67bf2a0cb9984c77ddee26c10ed2",
        sha256="21432069250b9b3f9a65ffd0071c5ad56b793247285ab0604edf7f531d4798d0",
    ),
)
CLAY = (CLAY_V1, CLAY_V1_5)

CLAY_STATISTICS = {
    "sentinel-2-l2a": _statistics(
        "blue green red rededge1 rededge2 rededge3 nir nir08 swir16 swir22",
        *("dn", 10.0),
        "1105 1355 1552 1887 2422 2630 2743 2785 2388 1835",
        "1809 1757 1888 1870 1732 1697 1742 1648 1470 1379",
        ".493 .56 .665 .704 .74 .783 .842 .865 1.61 2.19",
    ),
    "landsat-c2l1": _statistics(
        "red green blue nir08 swir16 swir22",
        *("unknown", 30.0),
        "10678 10563 11083 14792 12276 10114",
        "6025 5411 5468 6746 5897 4850",
        ".65 .56 .48 .86 1.6 2.2",
    ),
    "landsat-c2l2-sr": _statistics(
        "red green blue nir08 swir16 swir22",
        *("unknown", 30.0),
        "13705 13310 12474 17801 14615 12701",
        "9578 9408 10144 8277 5300 4522",
        ".65 .56 .48 .86 1.6 2.2",
    ),
    "naip": _statistics(
        "red green blue nir",
        *("uint8", 1.0),
        "110.16 115.41 98.15 139.04",
        "47.23 39.82 35.43 49.86",
        ".65 .56 .48 .842",
    ),
    "linz": _statistics(
        "red green blue", "uint8", 0.5, "89.96 99.46 89.51", "41.83 36.96 31.45", ".635 .555 .465"
    ),
    "sentinel-1-rtc": _statistics("vv vh", "db", 10.0, "-12.113 -18.673", "8.314 8.017", "3.5 4.0"),
}
"""By the platform's name in Clay's metadata."""

_LANDSAT_UNITS = {"landsat-c2l1": "landsat_toa", "landsat-c2l2-sr": "landsat_sr"}


def _cards() -> Iterable[tuple[str, ClayConfiguration, Card]]:
    modalities = tuple(
        modality_of(name, known, _LANDSAT_UNITS.get(name))
        for name, known in CLAY_STATISTICS.items()
    )
    radar = CLAY_STATISTICS["sentinel-1-rtc"]
    for name, size in zip(("clay_v1", "clay_v1_5"), CLAY, strict=True):
        card = sized(
            size,
            reference="github.com/Clay-foundation/model",
            takes="wavelengths",
            modalities=modalities,
            licence="Apache-2.0",
            stand_ins=tuple(zip(radar.bands, radar.wavelengths, strict=True)),
            coordinates=True,
        )
        yield name, size, card


CARDS: dict[str, Card] = {}
CONFIGURATIONS: dict[str, ClayConfiguration] = {}
for _name, _size, _card in _cards():
    CARDS[_name], CONFIGURATIONS[_name] = _card, _size


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights."""
    return entries_of("clay", "ClayOptions", CARDS)
