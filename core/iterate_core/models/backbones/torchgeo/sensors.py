"""The images that TorchGeo's encoders were trained on: bands, units, normalisation.

Imports no torch. Numbers are those of TorchGeo's transforms or, where these are incomplete, of the
models' authors (see `seco` and `landsat`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iterate_core.data.bands import ANY, LANDSAT_8, SENTINEL_2, describe
from iterate_core.data.dataset import Band
from iterate_core.models.backbones.card import Modality

S2_L1C, S2_L2A = "sentinel-2-l1c", "sentinel-2-l2a"
S2_13 = (
    *("B01", "B02", "B03", "B04", "B05", "B06", "B07"),
    *("B08", "B8A", "B09", "B10", "B11", "B12"),
)
S2_12 = tuple(name for name in S2_13 if name != "B10")
S2_RGB = ("B04", "B03", "B02")
_RGB = ("red", "green", "blue")
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _sentinel_2(names: Sequence[str], unit: str, sensor: str) -> tuple[Band, ...]:
    return tuple(replace(band, unit=unit, sensor=sensor) for band in describe(names, SENTINEL_2))


def _radar(names: Sequence[str], unit: str) -> tuple[Band, ...]:
    return tuple(replace(band, unit=unit, sensor="sentinel-1") for band in describe(names, ANY))


def ten_thousandths(names: Sequence[str] = S2_13, sensor: str = S2_L1C) -> Modality:
    """Sentinel-2's numbers over 10,000."""
    bands = _sentinel_2(names, "dn", sensor)
    return Modality("Sentinel-2", bands, (0.0,) * len(bands), (10_000.0,) * len(bands))


def softcon() -> Modality:
    """Sentinel-2's numbers, standardised by the statistics of SSL4EO-S12."""
    mean = (
        *(1612.9, 1397.6, 1322.3, 1373.1, 1561.0, 2108.4, 2390.7),
        *(2318.7, 2581.0, 837.7, 22.0, 2195.2, 1537.4),
    )
    std = (
        *(791.0, 854.3, 878.7, 1144.9, 1127.5, 1164.2, 1276.0),
        *(1249.5, 1345.9, 577.5, 47.5, 1340.0, 1142.9),
    )
    return Modality("Sentinel-2", _sentinel_2(S2_13, "dn", S2_L1C), mean, std)


def radar() -> Modality:
    """Sentinel-1's backscatter in decibel, standardised by the statistics of SSL4EO-S12."""
    return Modality("Sentinel-1", _radar(("VV", "VH"), "db"), (-12.59, -20.26), (5.26, 5.91))


def plain_radar() -> Modality:
    """Sentinel-1's backscatter in decibel; how it was normalised is not published."""
    return Modality("Sentinel-1", _radar(("VV", "VH"), "db"))


def satlas_rgb(sensor: str) -> Modality:
    """8-bit images over 255: true-colour images of Sentinel-2, or aerial ones."""
    name = "Sentinel-2 true colour" if sensor == S2_L1C else "aerial"
    bands = tuple(replace(band, unit="uint8", sensor=sensor) for band in describe(_RGB, ANY))
    return Modality(name, bands, (0.0,) * 3, (255.0,) * 3, low=0.0, high=1.0)


def satlas_multispectral() -> Modality:
    """True colour over 255, and six bands of Sentinel-2's numbers over 8,160, cut at 0 and 1."""
    bands = (
        *satlas_rgb(S2_L1C).bands,
        *_sentinel_2(("B05", "B06", "B07", "B08", "B11", "B12"), "dn", S2_L1C),
    )
    std = (255.0,) * 3 + (8160.0,) * 6
    return Modality("Sentinel-2", bands, (0.0,) * 9, std, low=0.0, high=1.0)


def satlas_landsat() -> Modality:
    """Landsat 8's and 9's Level 1 numbers, (x − 4,000) / 16,320, cut at 0 and 1."""
    names = [f"B{number}" for number in range(1, 12)]
    bands = tuple(
        replace(band, unit="landsat_tir" if _is_thermal(band) else "landsat_toa", sensor=LANDSAT_8)
        for band in describe(names, LANDSAT_8)
    )
    return Modality("Landsat", bands, (4000.0,) * 11, (16320.0,) * 11, low=0.0, high=1.0)


def satlas_radar() -> Modality:
    """Sentinel-1 GRD's own numbers over 255, cut at 0 and 1; VH comes first."""
    bands = _radar(("VH", "VV"), "grd")
    return Modality("Sentinel-1", bands, (0.0,) * 2, (255.0,) * 2, low=0.0, high=1.0)


def photographs(name: str, sensor: str | None = None) -> Modality:
    """8-bit red, green and blue, over 255 and standardised as ImageNet is."""
    bands = tuple(replace(band, unit="uint8", sensor=sensor) for band in describe(_RGB, ANY))
    mean, std = (tuple(255 * value for value in values) for values in _IMAGENET)
    return Modality(name, bands, mean, std)


def seco() -> Modality:
    """Seasonal Contrast: reflectance × 255 stretched between quantiles, then as ImageNet.

    Its authors' code stretches each band between its own quantiles and cuts; TorchGeo's transforms
    take blue's for red and red's for blue, leave out a division by 255, and cut nothing.
    """
    darkest, brightest = (0.0, 2.0, 3.0), (129.0, 103.0, 88.0)
    per_number = 10_000 / 255
    mean, std, low, high = [], [], [], []
    for dark, bright, m, s in zip(darkest, brightest, *_IMAGENET, strict=True):
        span = bright - dark
        mean.append((dark + m * span) * per_number)
        std.append(s * span * per_number)
        low.append(-m / s)
        high.append((1 - m) / s)
    bands = _sentinel_2(S2_RGB, "dn", S2_L2A)
    return Modality("Sentinel-2", bands, tuple(mean), tuple(std), tuple(low), tuple(high))


_LANDSAT = {
    # name: (common, wavelength in µm)
    "tm": {
        "B1": ("blue", 0.485),
        "B2": ("green", 0.56),
        "B3": ("red", 0.66),
        "B4": ("nir", 0.83),
        "B5": ("swir_1", 1.65),
        "B6": ("tir", 11.45),
        "B7": ("swir_2", 2.215),
    },
    "etm": {
        "B1": ("blue", 0.485),
        "B2": ("green", 0.56),
        "B3": ("red", 0.66),
        "B4": ("nir", 0.835),
        "B5": ("swir_1", 1.65),
        "B6_VCID_1": ("tir_low_gain", 11.45),
        "B6_VCID_2": ("tir_high_gain", 11.45),
        "B7": ("swir_2", 2.22),
        "B8": ("pan", 0.71),
    },
}
_SENSORS = {"tm": "landsat-5", "etm": "landsat-7", "oli": LANDSAT_8, "oli_tirs": LANDSAT_8}
_COLDEST, _HOTTEST = 273.15 - 25, 273.15 + 45


def landsat(product: str) -> Modality:
    """A product of SSL4EO-L, named as TorchGeo does: ``tm_toa``, ``oli_sr``.

    The images were stored with 8 bits and divided by 255. 0 and 255 were reflectances of 0 and
    0.4 (top of atmosphere) or 0.3 (surface), and −25 °C and 45 °C, as the scripts that made them
    say (TorchGeo's experiments/ssl4eo/landsat).
    """
    instrument, _, level = product.rpartition("_")
    sensor = _SENSORS[instrument]
    if sensor == LANDSAT_8:
        count = 11 if level == "toa" else 7
        named = describe([f"B{number}" for number in range(1, count + 1)], LANDSAT_8)
    else:
        table = _LANDSAT[instrument].items()
        named = tuple(Band(name, common, length) for name, (common, length) in table)
    if level == "sr":
        named = tuple(
            replace(band, name=f"SR_{band.name}") for band in named if not _is_other(band)
        )
    bright = 0.4 if level == "toa" else 0.3
    bands = tuple(
        replace(band, unit="kelvin" if _is_thermal(band) else "reflectance", sensor=sensor)
        for band in named
    )
    mean = tuple(_COLDEST if _is_thermal(band) else 0.0 for band in bands)
    std = tuple(_HOTTEST - _COLDEST if _is_thermal(band) else bright for band in bands)
    return Modality("Landsat", bands, mean, std, low=0.0, high=1.0)


def _is_thermal(band: Band) -> bool:
    return (band.common or "").startswith("tir")


def _is_other(band: Band) -> bool:
    """Whether surface reflectance has no such band."""
    return _is_thermal(band) or band.common == "pan"


def croma_optical() -> Modality:
    """Twelve bands of Sentinel-2; how they were normalised is not published with the weights."""
    return Modality("optical", _sentinel_2(S2_12, "dn", S2_L1C))


def croma_radar() -> Modality:
    """Sentinel-1, likewise."""
    return Modality("sar", _radar(("VV", "VH"), "db"))


def copernicus_optical() -> Modality:
    """Sentinel-2 as the authors of Copernicus-FM standardise it in their benchmark."""
    mean = (
        *(1353.7, 1117.2, 1041.8, 946.5, 1199.1, 2003.0, 2374.0),
        *(2301.2, 2599.7, 732.1, 12.1, 1820.6, 1118.2),
    )
    std = (
        *(897.3, 736.0, 684.8, 620.0, 791.9, 1341.3, 1595.4),
        *(1545.5, 1750.1, 475.1, 98.3, 1216.5, 736.7),
    )
    return Modality("Sentinel-2", _sentinel_2(S2_13, "dn", S2_L1C), mean, std)


def copernicus_radar() -> Modality:
    """Sentinel-1, likewise."""
    return Modality("Sentinel-1", _radar(("VV", "VH"), "db"), (-12.548, -20.192), (5.257, 5.912))
