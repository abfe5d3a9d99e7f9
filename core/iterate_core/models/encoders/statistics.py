"""What the encoders' published weights were trained on: bands, units, means and deviations.

Imports no torch. Numbers are those of the models' own configuration files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iterate_core.models.encoders.configurations import (
    PRITHVI_BANDS,
    SATMAE_BANDS,
    TERRAMIND_MODALITIES,
)


@dataclass(frozen=True)
class Statistics:
    """Pixels of one sensor as a model was trained with them: (x − mean) / std.

    Attributes:
        bands: Names as the model's authors give them, in the order of the weights.
        unit: As in `iterate_core.data.dataset.Band`; ``"unknown"`` stands for the digital numbers
            of Landsat's own products, which are no reflectance × 10,000.
        mean: Of each band.
        std: Of each band.
        wavelengths: Centres in µm, where the model takes them.
        gsd: Metres per pixel, where the model takes it.
    """

    bands: tuple[str, ...]
    unit: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    wavelengths: tuple[float, ...] = ()
    gsd: float | None = None


def _of(bands: Sequence[str], unit: str, mean: str, std: str) -> Statistics:
    return Statistics(tuple(bands), unit, _numbers(mean), _numbers(std))


def _clay(bands: str, unit: str, gsd: float, mean: str, std: str, wavelengths: str) -> Statistics:
    numbers = (_numbers(mean), _numbers(std), _numbers(wavelengths))
    return Statistics(tuple(bands.split()), unit, *numbers, gsd)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split())


PRITHVI_V1_STATISTICS = _of(
    PRITHVI_BANDS, "dn", "775 1081 1229 2497 2204 1611", "1282 1270 1399 1368 1292 1155"
)
PRITHVI_V2_STATISTICS = _of(
    PRITHVI_BANDS, "dn", "1087 1342 1433 2734 1958 1363", "2248 2179 2178 1850 1242 1049"
)

TERRAMIND_STATISTICS = {
    name: _of(TERRAMIND_MODALITIES[name].bands, unit, mean, std)
    for name, unit, mean, std in (
        (
            "S2L2A",
            "dn",
            "1390.458 1503.317 1718.197 1853.91 2199.1 2779.975 2987.011 3083.234 3132.22 "
            "3162.988 2424.884 1857.648",
            "2106.761 2141.107 2038.973 2134.138 2085.321 1889.926 1820.257 1871.918 1753.829 "
            "1797.379 1434.261 1334.311",
        ),
        (
            "S2L1C",
            "dn",
            "2357.089 2137.385 2018.788 2082.986 2295.651 2854.537 3122.849 3040.56 3306.481 "
            "1473.847 506.07 2472.825 1838.929",
            "1624.683 1675.806 1557.708 1833.702 1823.738 1733.977 1732.131 1679.732 1727.26 "
            "1024.687 442.165 1331.411 1160.419",
        ),
        ("S1GRD", "db", "-12.599 -20.293", "5.195 5.890"),
        ("S1RTC", "db", "-10.93 -17.329", "4.391 4.459"),
        ("RGB", "uint8", "87.271 80.931 66.667", "58.767 47.663 42.631"),
        ("DEM", "metre", "670.665", "951.272"),
    )
}
"""By modality."""

CLAY_STATISTICS = {
    "sentinel-2-l2a": _clay(
        "blue green red rededge1 rededge2 rededge3 nir nir08 swir16 swir22",
        *("dn", 10.0),
        "1105 1355 1552 1887 2422 2630 2743 2785 2388 1835",
        "1809 1757 1888 1870 1732 1697 1742 1648 1470 1379",
        ".493 .56 .665 .704 .74 .783 .842 .865 1.61 2.19",
    ),
    "landsat-c2l1": _clay(
        "red green blue nir08 swir16 swir22",
        *("unknown", 30.0),
        "10678 10563 11083 14792 12276 10114",
        "6025 5411 5468 6746 5897 4850",
        ".65 .56 .48 .86 1.6 2.2",
    ),
    "landsat-c2l2-sr": _clay(
        "red green blue nir08 swir16 swir22",
        *("unknown", 30.0),
        "13705 13310 12474 17801 14615 12701",
        "9578 9408 10144 8277 5300 4522",
        ".65 .56 .48 .86 1.6 2.2",
    ),
    "naip": _clay(
        "red green blue nir",
        *("uint8", 1.0),
        "110.16 115.41 98.15 139.04",
        "47.23 39.82 35.43 49.86",
        ".65 .56 .48 .842",
    ),
    "linz": _clay(
        "red green blue", "uint8", 0.5, "89.96 99.46 89.51", "41.83 36.96 31.45", ".635 .555 .465"
    ),
    "sentinel-1-rtc": _clay("vv vh", "db", 10.0, "-12.113 -18.673", "8.314 8.017", "3.5 4.0"),
}
"""By the platform's name in Clay's metadata."""

SATMAE_STATISTICS = _of(
    SATMAE_BANDS,
    "dn",
    "1184.38 1120.77 1136.26 1263.74 1645.40 1846.87 1762.60 1972.62 1732.16 1247.92",
    "650.28 712.13 965.23 948.98 1108.07 1258.36 1233.15 1364.39 1310.37 1087.60",
)
"""To two decimals. SatMAE cuts mean ± 2 std to 8 bits: see its card."""
