"""TerraMind: published sizes, weights and statistics, and the cards made of them, as data.

Imports no torch. Parameter counts are those of the encoder as built here: without decoders and
classification heads, of all bands the weights were trained with. Statistics are those of the
model's own configuration files.
"""

from __future__ import annotations

from dataclasses import dataclass

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import entries_of
from iterate_core.models.backbones.transformer.card import (
    BASE,
    LARGE,
    SMALL,
    TINY,
    Configuration,
    encoder_card,
    modality_of,
)
from iterate_core.registry.registry import Entry


@dataclass(frozen=True)
class TerraMindConfiguration(Configuration):
    """A TerraMind encoder; `parameters` counts it with S2L2A and S1GRD.

    Attributes:
        gated: Whether its blocks have no biases and a gated MLP (base and large).
    """

    gated: bool


@dataclass(frozen=True)
class Embedded:
    """Where a modality of TerraMind enters the model.

    Attributes:
        key: Its name in the checkpoint.
        bands: Its channels, in the order of the weights.
    """

    key: str
    bands: tuple[str, ...]


_S2L2A = (
    *("COASTAL_AEROSOL", "BLUE", "GREEN", "RED", "RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3"),
    *("NIR_BROAD", "NIR_NARROW", "WATER_VAPOR", "SWIR_1", "SWIR_2"),
)
TERRAMIND_MODALITIES = {
    "S2L2A": Embedded("untok_sen2l2a@224", _S2L2A),
    "S2L1C": Embedded("untok_sen2l1c@224", (*_S2L2A[:-2], "CIRRUS", *_S2L2A[-2:])),
    "S1GRD": Embedded("untok_sen1grd@224", ("VV", "VH")),
    "S1RTC": Embedded("untok_sen1rtc@224", ("VV", "VH")),
    "RGB": Embedded("untok_sen2rgb@224", ("RED", "GREEN", "BLUE")),
    "DEM": Embedded("untok_dem@224", ("DEM",)),
}
"""The image modalities of TerraMind v1 by the names that users give them."""


def _terramind(
    name: str,
    size: tuple[int, int, int],
    parameters: int,
    gated: bool,
    revision: str | None,
    sha256: str,
    file_size: int,
) -> TerraMindConfiguration:
    repository = f"ibm-esa-geospatial/TerraMind-1.0-{name}"
    file = HubFile(repository, f"TerraMind_v1_{name}.pt", revision, sha256, size=file_size)
    return TerraMindConfiguration(
        f"TerraMind-1.0-{name}", *size, 16, 224, parameters, file, gated=gated
    )


# Tiny: commit 3e763e7a of its Hugging Face repository holds the same bytes. The others: revisions,
# digests and sizes that several projects have published of their copies (large: one project).
TERRAMIND_V1_TINY = _terramind(
    *("tiny", TINY, 6_022_464, False),
    "2b5ac0a3ed7dd7e922ccfd595b56607f342df343",
    "e56ea9ebcd4451078b9ca4893d5cd8a89bbee376ae16829c3e7fbbbc76de0eba",
    211_873_402,
)
TERRAMIND_V1_SMALL = _terramind(
    *("small", SMALL, 22_661_760, False),
    "960f7549bfe9d7a08946860042f83badd604c779",
    "755e9cce9483fd61334ef66c79f805406db5151a8b44a685c8fbbe023c684701",
    504_231_662,
)
TERRAMIND_V1_BASE = _terramind(
    *("base", BASE, 87_707_904, True),
    "fb96c70d0a5f68dcc44030b89cbfd8ec3fb0c67a",
    "83c3a0938067c83867a46e564443c2fa38383bf4f966d931b11cb025b847d7ec",
    1_518_713_958,
)
TERRAMIND_V1_LARGE = _terramind(
    *("large", LARGE, 305_662_976, True),
    None,
    "a1c6b567ce6862c7ac07181551add840edce52f652abccfe5f17d23544060f81",
    3_787_890_978,
)
CONFIGURATIONS = {
    "terramind_v1_tiny": TERRAMIND_V1_TINY,
    "terramind_v1_small": TERRAMIND_V1_SMALL,
    "terramind_v1_base": TERRAMIND_V1_BASE,
    "terramind_v1_large": TERRAMIND_V1_LARGE,
}

_MODALITIES = tuple(
    modality_of(name, TERRAMIND_MODALITIES[name].bands, unit, mean, std, sensor=sensor)
    for name, sensor, unit, mean, std in (
        (
            *("S2L2A", "sentinel-2-l2a", "dn"),
            "1390.458 1503.317 1718.197 1853.91 2199.1 2779.975 2987.011 3083.234 3132.22 "
            "3162.988 2424.884 1857.648",
            "2106.761 2141.107 2038.973 2134.138 2085.321 1889.926 1820.257 1871.918 1753.829 "
            "1797.379 1434.261 1334.311",
        ),
        (
            *("S2L1C", "sentinel-2-l1c", "dn"),
            "2357.089 2137.385 2018.788 2082.986 2295.651 2854.537 3122.849 3040.56 3306.481 "
            "1473.847 506.07 2472.825 1838.929",
            "1624.683 1675.806 1557.708 1833.702 1823.738 1733.977 1732.131 1679.732 1727.26 "
            "1024.687 442.165 1331.411 1160.419",
        ),
        ("S1GRD", None, "db", "-12.599 -20.293", "5.195 5.890"),
        ("S1RTC", None, "db", "-10.93 -17.329", "4.391 4.459"),
        ("RGB", "sentinel-2", "uint8", "87.271 80.931 66.667", "58.767 47.663 42.631"),
        ("DEM", None, "metre", "670.665", "951.272"),
    )
)
CARDS = {
    name: encoder_card(
        configuration,
        reference="arXiv 2504.11171",
        takes="declared",
        modalities=_MODALITIES,
        licence="Apache-2.0",
        notes=("parameters are counted with S2L2A and S1GRD",),
    )
    for name, configuration in CONFIGURATIONS.items()
}


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights."""
    return entries_of("terramind", "TerraMindOptions", CARDS)
