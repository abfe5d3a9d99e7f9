"""Clay: published sizes, weights and statistics, and the cards made of them, as data.

Imports no torch. Parameter counts are those of the encoder as built here: without decoders and
classification heads, of all bands the weights were trained with. Statistics are those of the
model's own configuration files.
"""

from __future__ import annotations

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Modality, entries_of
from iterate_core.models.backbones.transformer.card import (
    BASE,
    LARGE,
    Configuration,
    encoder_card,
    modality_of,
)
from iterate_core.registry.registry import Entry

# The first version was taken out of made-with-clay/Clay (terratorch issue 1024); its new place is
# terratorch's, and neither its commit nor its digest has been seen. 1.5: as others have pinned it.
CLAY_V1 = Configuration(
    *("Clay-v1", *BASE, 8, 256, 92_102_144),
    file=HubFile("made-with-clay/Clay-legacy", "v1/clay-v1-base.ckpt"),
)
CLAY_V1_5 = Configuration(
    *("Clay-v1.5", *LARGE, 8, 256, 311_442_944),
    file=HubFile(
        *("made-with-clay/Clay", "v1.5/clay-v1.5.ckpt"),
        revision="70200ebcccdf67bf2a0cb9984c77ddee26c10ed2",
        sha256="21432069250b9b3f9a65ffd0071c5ad56b793247285ab0604edf7f531d4798d0",
    ),
)
CONFIGURATIONS = {"clay_v1": CLAY_V1, "clay_v1_5": CLAY_V1_5}


def _platform(
    name: str, bands: str, unit: str, metres: float, mean: str, std: str, wavelengths: str
) -> Modality:
    """A platform by its name in Clay's metadata."""
    return modality_of(name, bands.split(), unit, mean, std, wavelengths=wavelengths, metres=metres)


_PLATFORMS = (
    _platform(
        "sentinel-2-l2a",
        "blue green red rededge1 rededge2 rededge3 nir nir08 swir16 swir22",
        *("dn", 10.0),
        "1105 1355 1552 1887 2422 2630 2743 2785 2388 1835",
        "1809 1757 1888 1870 1732 1697 1742 1648 1470 1379",
        ".493 .56 .665 .704 .74 .783 .842 .865 1.61 2.19",
    ),
    _platform(
        "landsat-c2l1",
        "red green blue nir08 swir16 swir22",
        *("landsat_toa", 30.0),
        "10678 10563 11083 14792 12276 10114",
        "6025 5411 5468 6746 5897 4850",
        ".65 .56 .48 .86 1.6 2.2",
    ),
    _platform(
        "landsat-c2l2-sr",
        "red green blue nir08 swir16 swir22",
        *("landsat_sr", 30.0),
        "13705 13310 12474 17801 14615 12701",
        "9578 9408 10144 8277 5300 4522",
        ".65 .56 .48 .86 1.6 2.2",
    ),
    _platform(
        "naip",
        "red green blue nir",
        *("uint8", 1.0),
        "110.16 115.41 98.15 139.04",
        "47.23 39.82 35.43 49.86",
        ".65 .56 .48 .842",
    ),
    _platform(
        "linz",
        "red green blue",
        "uint8",
        0.5,
        "89.96 99.46 89.51",
        "41.83 36.96 31.45",
        ".635 .555 .465",
    ),
    _platform("sentinel-1-rtc", "vv vh", "db", 10.0, "-12.113 -18.673", "8.314 8.017", "3.5 4.0"),
)
_RADAR = _PLATFORMS[-1]
CARDS = {
    name: encoder_card(
        configuration,
        reference="github.com/Clay-foundation/model",
        takes="wavelengths",
        modalities=_PLATFORMS,
        licence="Apache-2.0",
        stand_ins=tuple((band.name, band.wavelength) for band in _RADAR.bands),
        coordinates=True,
    )
    for name, configuration in CONFIGURATIONS.items()
}


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights."""
    return entries_of("clay", "ClayOptions", CARDS)
